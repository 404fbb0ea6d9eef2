package property

// Inert are the properties that make a new copy inert, besides that it is not
// mounted now: it cannot be written to, is not mounted after a reboot, and its
// programs and devices have no effect.
func Inert(volume bool) map[string]string {
	if volume {
		return map[string]string{"readonly": "on", "volmode": "none", "snapdev": "hidden"}
	}
	return map[string]string{"readonly": "on", "canmount": "noauto", "setuid": "off", "devices": "off", "exec": "off"}
}

// Active is what an inert property is for a dataset in use: the default of
// ZFS.
func Active(name string) string {
	switch name {
	case "readonly":
		return "off"
	case "volmode":
		return "default"
	case "snapdev":
		return "hidden"
	}
	return "on"
}
