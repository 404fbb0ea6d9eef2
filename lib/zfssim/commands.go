package zfssim

type subcommand func(z *cmd, args []string) int

func zfsCommand(name string) (subcommand, bool) {
	switch name {
	case "create":
		return (*cmd).create, true
	case "destroy":
		return (*cmd).destroy, true
	case "list":
		return (*cmd).list, true
	case "get":
		return (*cmd).get, true
	case "set":
		return (*cmd).set, true
	case "inherit":
		return (*cmd).inherit, true
	case "snapshot", "snap":
		return (*cmd).snapshot, true
	case "bookmark":
		return (*cmd).bookmark, true
	case "hold":
		return (*cmd).hold, true
	case "release":
		return (*cmd).release, true
	case "holds":
		return (*cmd).holds, true
	case "send":
		return (*cmd).send, true
	case "receive", "recv":
		return (*cmd).receive, true
	case "clone":
		return (*cmd).clone, true
	case "promote":
		return (*cmd).promote, true
	case "rename":
		return (*cmd).rename, true
	case "rollback":
		return (*cmd).rollback, true
	case "mount":
		return (*cmd).mountCmd, true
	case "unmount", "umount":
		return (*cmd).unmountCmd, true
	case "load-key":
		return (*cmd).loadKey, true
	case "unload-key":
		return (*cmd).unloadKey, true
	case "change-key":
		return (*cmd).changeKey, true
	case "allow":
		return (*cmd).allow, true
	case "unallow":
		return (*cmd).unallow, true
	}
	return nil, false
}

func zpoolCommand(name string) (subcommand, bool) {
	switch name {
	case "create":
		return (*cmd).poolCreate, true
	case "destroy":
		return (*cmd).poolDestroy, true
	case "list":
		return (*cmd).poolList, true
	case "get":
		return (*cmd).poolGet, true
	case "export":
		return (*cmd).poolExport, true
	case "import":
		return (*cmd).poolImport, true
	case "status":
		return (*cmd).poolStatus, true
	}
	return nil, false
}
