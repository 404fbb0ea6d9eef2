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
	}
	return nil, false
}
