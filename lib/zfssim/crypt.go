package zfssim

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"syscall"
)

// A key is what an encryption root knows of its wrapping key. Nothing is
// enciphered: the simulator only says no where ZFS would.
type key struct {
	Format   string `json:"format"`   // passphrase, hex, raw
	Location string `json:"location"` // prompt or file:///…
	Hash     string `json:"hash"`
	Iters    string `json:"iters,omitempty"`
	Loaded   bool   `json:"loaded,omitempty"`
	Salt     string `json:"salt,omitempty"`
}

func (t *tx) cryptRoot(d *ds) *ds {
	if d == nil || d.Crypt == "" {
		return nil
	}
	if od, _ := t.lookup(d.Origin); od != nil && d.Key == nil { // a clone has its origin's key
		return t.cryptRoot(od)
	}
	for at := d; at != nil; at = t.get(parentOf(at.name)) {
		if at.Key != nil {
			return at
		}
		if parentOf(at.name) == "" {
			break
		}
	}
	return nil
}

// wrapKey is the hash of the wrapping key that a dataset's own key is wrapped
// with. Where a raw stream brought another than the encryption root has, the
// dataset cannot be read (openzfs#12614).
func (t *tx) wrapKey(d *ds) string {
	if d.Wrap != "" {
		return d.Wrap
	}
	if root := t.cryptRoot(d); root != nil {
		return root.Key.Hash
	}
	return ""
}

// unreadable reports whether loading the key of d's root does not help.
func (t *tx) unreadable(d *ds) bool {
	root := t.cryptRoot(d)
	return root != nil && d.Wrap != "" && d.Wrap != root.Key.Hash
}

// rewrap lets all datasets below d that have its key follow a change of it.
func (t *tx) rewrap(d *ds) {
	for _, x := range t.tree(d.name, -1) {
		if x.Crypt != "" && t.cryptRoot(x) == t.cryptRoot(d) && x.Wrap != "" {
			x.Wrap, x.dirty = "", true
		}
	}
}

func (t *tx) keyMissing(d *ds) bool {
	root := t.cryptRoot(d)
	return root != nil && !root.Key.Loaded
}

func (t *tx) cryptProp(o object, name string) (value, bool) {
	root := t.cryptRoot(o.d)
	text, source := "-", "-"
	switch name {
	case "encryption":
		text = or(o.d.Crypt, "off")
		if o.d.Crypt == "" {
			source = "default"
		}
	case "keyformat":
		text = "none"
		if root != nil {
			text = root.Key.Format
		} else {
			source = "default"
		}
	case "keylocation":
		text = "none"
		switch {
		case root == o.d && root != nil:
			text, source = root.Key.Location, "local"
		case root == nil:
			source = "default"
		}
	case "pbkdf2iters":
		text = "0"
		if root != nil {
			text = or(root.Key.Iters, "0")
		}
		if text == "0" {
			source = "default"
		}
	case "encryptionroot":
		if root != nil {
			text = root.name
		}
	case "keystatus":
		if root != nil {
			text = "available"
			if !root.Key.Loaded {
				text = "unavailable"
			}
		}
	}
	return value{text, source, "-"}, true
}

// readKey gets a key's material from where it is: stdin or a file. A new one
// must be long enough; one that is to be loaded is right or wrong.
func (z *cmd) readKey(format, location string, fresh bool) (string, error) {
	var data []byte
	var err error
	if location == "prompt" {
		data, err = io.ReadAll(io.LimitReader(z.in, 1<<16))
	} else {
		data, err = os.ReadFile(strings.TrimPrefix(location, "file://"))
	}
	switch {
	case err != nil:
		return "", fmt.Errorf("Failed to open key material file: %s", reason(err))
	case len(data) == 0:
		return "", errors.New("encryption failure")
	}
	text := string(data)
	if format != "raw" {
		text, _, _ = strings.Cut(text, "\n")
	}
	return text, checkKey(format, text, fresh)
}

func checkKey(format, text string, fresh bool) error {
	_, err := hex.DecodeString(text)
	switch {
	case format == "passphrase" && fresh && len(text) < 8:
		return errors.New("Passphrase too short (min 8).")
	case format == "passphrase" && fresh && len(text) > 512:
		return errors.New("Passphrase too long (max 512).")
	case format == "raw" && len(text) < 32:
		return errors.New("Raw key too short (expected 32).")
	case format == "raw" && len(text) > 32:
		return errors.New("Raw key too long (expected 32).")
	case format == "hex" && len(text) < 64:
		return errors.New("Hex key too short (expected 64).")
	case format == "hex" && len(text) > 64:
		return errors.New("Hex key too long (expected 64).")
	case format == "hex" && err != nil:
		return errors.New("Invalid hex character detected.")
	}
	return nil
}

func (k *key) hash(text string) string {
	sum := sha256.Sum256([]byte(k.Salt + "\x00" + k.Format + "\x00" + text))
	return hex.EncodeToString(sum[:])
}

func hexGUID() string { return strconv.FormatUint(newGUID(), 16) }

// reason is strerror(3) of what went wrong.
func reason(err error) string {
	var errno syscall.Errno
	if !errors.As(err, &errno) {
		return err.Error()
	}
	text := errno.Error()
	return strings.ToUpper(text[:1]) + text[1:]
}
