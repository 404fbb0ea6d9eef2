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
	if d.Crypt == "" {
		return nil
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
		} else {
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

// readKey gets a key's material from where it is: stdin or a file.
func (z *cmd) readKey(format, location string) (string, error) {
	var data []byte
	var err error
	if location == "prompt" {
		data, err = io.ReadAll(io.LimitReader(z.in, 1<<16))
	} else {
		data, err = os.ReadFile(strings.TrimPrefix(location, "file://"))
	}
	if err != nil {
		return "", fmt.Errorf("Failed to open key material file: %s", reason(err))
	}
	text := string(data)
	if format != "raw" {
		text, _, _ = strings.Cut(text, "\n")
	}
	switch {
	case format == "passphrase" && len(text) < 8:
		return "", errors.New("Passphrase too short (min 8).")
	case format == "raw" && len(text) < 32:
		return "", errors.New("Raw key too short (expected 32).")
	case format == "raw" && len(text) > 32:
		return "", errors.New("Raw key too long (expected 32).")
	case format == "hex" && len(text) < 64:
		return "", errors.New("Hex key too short (expected 64).")
	case format == "hex" && len(text) > 64:
		return "", errors.New("Hex key too long (expected 64).")
	}
	return text, nil
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
