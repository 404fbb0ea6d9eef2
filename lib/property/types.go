package property

// An ofType says which datasets have a native property (zfsprops(7)).
// Those that are not in types are of both types.
type ofType int

const (
	ofFilesystems ofType = iota + 1
	ofVolumes
)

// types also has names of newer releases of OpenZFS: an older one
// would not know the property on any dataset. OpenZFS 2.4 gives volumes
// special_small_blocks, too, but 2.1 to 2.3 would refuse it for them; a volume
// inherits it. volmode and snapdev are of both: a filesystem hands them down.
var types = map[string]ofType{
	"aclinherit":             ofFilesystems,
	"aclmode":                ofFilesystems,
	"acltype":                ofFilesystems,
	"atime":                  ofFilesystems,
	"canmount":               ofFilesystems,
	"casesensitivity":        ofFilesystems,
	"defaultgroupobjquota":   ofFilesystems,
	"defaultgroupquota":      ofFilesystems,
	"defaultprojectobjquota": ofFilesystems,
	"defaultprojectquota":    ofFilesystems,
	"defaultuserobjquota":    ofFilesystems,
	"defaultuserquota":       ofFilesystems,
	"devices":                ofFilesystems,
	"direct":                 ofFilesystems,
	"dnodesize":              ofFilesystems,
	"exec":                   ofFilesystems,
	"filesystem_limit":       ofFilesystems,
	"jailed":                 ofFilesystems,
	"longname":               ofFilesystems,
	"mountpoint":             ofFilesystems,
	"nbmand":                 ofFilesystems,
	"normalization":          ofFilesystems,
	"overlay":                ofFilesystems,
	"quota":                  ofFilesystems,
	"recordsize":             ofFilesystems,
	"refquota":               ofFilesystems,
	"relatime":               ofFilesystems,
	"setuid":                 ofFilesystems,
	"sharenfs":               ofFilesystems,
	"sharesmb":               ofFilesystems,
	"snapdir":                ofFilesystems,
	"special_small_blocks":   ofFilesystems,
	"utf8only":               ofFilesystems,
	"version":                ofFilesystems,
	"vscan":                  ofFilesystems,
	"xattr":                  ofFilesystems,
	"zoned":                  ofFilesystems,

	"volblocksize": ofVolumes,
	"volsize":      ofVolumes,
	"volthreading": ofVolumes,
}

// aliases are the short names that zfs(8) takes for properties.
var aliases = map[string]string{
	"case":      "casesensitivity",
	"compress":  "compression",
	"enc":       "encryption",
	"fslimit":   "filesystem_limit",
	"rdonly":    "readonly",
	"recsize":   "recordsize",
	"redund_md": "redundant_metadata",
	"refreserv": "refreservation",
	"reserv":    "reservation",
	"sslimit":   "snapshot_limit",
	"volblock":  "volblocksize",
}

// Full returns the full name of a property that may be written short,
// such as recordsize for recsize.
func Full(name string) string {
	if full, short := aliases[name]; short {
		return full
	}
	return name
}

// Has reports whether a volume, or otherwise a filesystem, has the
// property. Both have user properties.
func Has(volume bool, name string) bool {
	switch types[Full(name)] {
	case ofFilesystems:
		return !volume
	case ofVolumes:
		return volume
	}
	return true
}
