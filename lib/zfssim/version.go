package zfssim

// A trait is what differs between versions of OpenZFS.
type trait struct {
	volblock    uint64 // default volblocksize
	compression string // default
	badProp     string // what receive says before "invalid property" of -o and -x
	resumeOver  bool   // receive knows that a resumed full stream meets an existing dataset
}

// traits are the differences that scripts/conformance found between 2.1 and
// 2.3; ZFS_SIM_VERSION chooses.
var traits = map[string]trait{
	"2.1": {volblock: 8192, compression: "off", badProp: "cannot receive"},
	"2.3": {volblock: 16384, compression: "on", badProp: "cannot receive: cannot receive", resumeOver: true},
}

func (z *cmd) trait() trait {
	if t, ok := traits[z.version]; ok {
		return t
	}
	return traits["2.3"]
}
