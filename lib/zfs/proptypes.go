package zfs

// A propertyType says which datasets have a native property (zfsprops(7)).
// Those that are not in propertyTypes are of both types.
type propertyType int

const (
	ofFilesystems propertyType = iota + 1
	ofVolumes
)

// propertyTypes also has names of newer releases of OpenZFS: an older one
// would not know the property on any dataset. OpenZFS 2.4 gives volumes
// special_small_blocks, too, but 2.1 to 2.3 would refuse it for them; a volume
// inherits it. volmode and snapdev are of both: a filesystem hands them down.
var propertyTypes = map[string]propertyType{
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

// propertyAliases are the short names that zfs(8) takes for properties.
var propertyAliases = map[string]string{
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

// PropertyName returns the full name of a property that may be written short,
// such as recordsize for recsize.
func PropertyName(name string) string {
	if full, short := propertyAliases[name]; short {
		return full
	}
	return name
}

// HasProperty reports whether a volume, or otherwise a filesystem, has the
// property. Both have user properties.
func HasProperty(volume bool, name string) bool {
	switch propertyTypes[PropertyName(name)] {
	case ofFilesystems:
		return !volume
	case ofVolumes:
		return volume
	}
	return true
}

// keyProperty reports whether a raw stream alone decides about the property:
// zfs receive refuses -o and -x for it.
func keyProperty(name string) bool {
	switch PropertyName(name) {
	case "encryption", "keyformat", "keylocation", "pbkdf2iters":
		return true
	}
	return false
}
