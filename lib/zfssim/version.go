package zfssim

import "strings"

// A trait is what differs between versions of OpenZFS.
type trait struct {
	volblock    uint64 // default volblocksize
	compression string // default
	badProp     string // what receive says before "invalid property" of -o and -x
	resumeOver  bool   // receive refuses at once a resumed full stream over a dataset, without -F; before, it ran to its end and lost everything
	setFailed   int    // exit status of a set that is refused
	held        string // why a held snapshot stays, %s being its name
	maxRecord   uint64 // largest recordsize
	mountBelow  bool   // a new mountpoint mounts what is below and was not mounted
	getNoPool   string // zpool get of a pool that is not there
	features    uint64 // of streams that are understood
	skipAll     bool   // a -R stream of what is all there already is fine

	snapsChanged  bool // snapshots_changed is known
	notMounted    int  // exit status of create and clone whose filesystem is there, and could not be mounted
	recvUnmounted int  // of receive of one
}

// features21 is DMU_BACKUP_FEATURE_MASK of OpenZFS 2.1.
const features21 = featureSpill | featureEmbed | featureLZ4 | featureLarge | featureResuming | 1<<21 | featureCompressed | 1<<23 | featureRaw | 1<<25 | featureHolds | 1<<27

// traits are the differences that scripts/conformance found between 2.1, 2.3
// and 2.4; ZFS_SIM_VERSION chooses.
var traits = map[string]trait{
	"2.1": {notMounted: 1, recvUnmounted: 1, volblock: 8192, compression: "off", badProp: "cannot receive",
		setFailed: 1, held: "dataset is busy", maxRecord: 1 << 20, getNoPool: "cannot open '%s': no such pool", features: features21},
	"2.3": {notMounted: 1, volblock: 16384, compression: "on", badProp: "cannot receive: cannot receive", resumeOver: true,
		setFailed: 255, held: "it's being held. Run 'zfs holds -r %s' to see holders.", maxRecord: 16 << 20,
		mountBelow: true, getNoPool: "Cannot get properties of %s: no such pool available.", skipAll: true, snapsChanged: true, features: features21 | 1<<28 | 1<<29},
	"2.4": {volblock: 16384, compression: "on", badProp: "cannot receive: cannot receive", resumeOver: true,
		setFailed: 255, held: "it's being held. Run 'zfs holds -r %s' to see holders.", maxRecord: 16 << 20,
		mountBelow: true, getNoPool: "Cannot get properties of %s: no such pool available.", skipAll: true, snapsChanged: true, features: features21 | 1<<28 | 1<<29},
}

func (z *cmd) trait() trait {
	if t, ok := traits[z.version]; ok {
		return t
	}
	return traits["2.3"] // what nobody named
}

func (t trait) heldText(name string) string {
	return strings.ReplaceAll(t.held, "%s", name)
}
