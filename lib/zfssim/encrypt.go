package zfssim

// cryptProps are the properties of which a dataset has none but its key.
func cryptProps() []string { return []string{"encryption", "keyformat", "keylocation", "pbkdf2iters"} }

// encrypt gives a new dataset the key its properties ask for, or its parent's.
func (z *cmd) encrypt(t *tx, d *ds) int {
	parent := t.get(parentOf(d.name))
	crypt, k, why := z.cryptFor(parent, d.Props)
	if why == "" && crypt != "" && k == nil && t.keyMissing(parent) {
		why = "encryption root's key is not loaded or provided"
	}
	if why != "" {
		return -z.fail(1, "cannot create '%s': %s", d.name, why)
	}
	for _, name := range cryptProps() {
		delete(d.Props, name)
	}
	if crypt != "" {
		d.Crypt, d.Key, d.KeyGUID = crypt, k, newGUID()
	}
	return 0
}

// cryptFor is zfs_crypto_create: how a dataset with these properties is
// encrypted below parent, and with which key if it has one of its own.
func (z *cmd) cryptFor(parent *ds, props map[string]string) (crypt string, k *key, why string) {
	crypt = props["encryption"]
	format, location, iters := props["keyformat"], props["keylocation"], props["pbkdf2iters"]
	inherited := ""
	if parent != nil {
		inherited = parent.Crypt
	}
	switch crypt {
	case "on":
		crypt = "aes-256-gcm"
	case "":
		crypt = or(inherited, "off")
	}
	switch {
	case crypt == "off" && format+location+iters != "":
		return "", nil, "Encryption must be turned on to set encryption properties."
	case crypt == "off":
		return "", nil, ""
	case format == "" && (location != "" || inherited == ""):
		return "", nil, "Keyformat required for new encryption root."
	case format == "":
		return crypt, nil, ""
	case iters != "" && format != "passphrase":
		return "", nil, "Cannot specify pbkdf2iters with a non-passphrase keyformat."
	}
	k = &key{Format: format, Location: or(location, "prompt"), Loaded: true, Salt: hexGUID()}
	text, err := z.readKey(format, k.Location, true)
	if err != nil {
		return "", nil, err.Error()
	}
	if format == "passphrase" {
		k.Iters = or(iters, "350000")
	}
	k.Hash = k.hash(text)
	return crypt, k, ""
}
