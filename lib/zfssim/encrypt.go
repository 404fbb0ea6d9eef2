package zfssim

// encrypt gives a new dataset the key its properties ask for, or its parent's.
func (z *cmd) encrypt(t *tx, d *ds) int {
	parent := t.get(parentOf(d.name))
	asked := d.Props["encryption"]
	format, location := d.Props["keyformat"], d.Props["keylocation"]
	iters := d.Props["pbkdf2iters"]
	for _, name := range []string{"encryption", "keyformat", "keylocation", "pbkdf2iters"} {
		delete(d.Props, name)
	}
	inherits := parent != nil && parent.Crypt != ""
	if asked == "on" {
		asked = "aes-256-gcm"
	}
	switch {
	case asked == "off" || asked == "" && !inherits:
		if format != "" || location != "" {
			return -z.fail(1, "cannot create '%s': Encryption must be turned on to set encryption properties.", d.name)
		}
		return 0
	case format == "" && location != "":
		return -z.fail(1, "cannot create '%s': Keyformat required for new encryption root.", d.name)
	case format == "" && !inherits:
		return -z.fail(1, "cannot create '%s': Keyformat required for new encryption root.", d.name)
	case format == "" && t.keyMissing(parent):
		return -z.fail(1, "cannot create '%s': encryption root's key is not loaded or provided", d.name)
	}
	d.Crypt, d.KeyGUID = or(asked, "aes-256-gcm"), newGUID()
	if format == "" {
		if asked == "" {
			d.Crypt = parent.Crypt
		}
		return 0
	}
	location = or(location, "prompt")
	text, err := z.readKey(format, location, true)
	if err != nil {
		return -z.fail(1, "cannot create '%s': %v", d.name, err)
	}
	d.Key = &key{Format: format, Location: location, Loaded: true, Salt: hexGUID()}
	if format == "passphrase" {
		d.Key.Iters = or(iters, "350000")
	}
	d.Key.Hash = d.Key.hash(text)
	return 0
}
