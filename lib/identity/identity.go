// Package identity checks the names of jobs and of clients.
//
// Such a name comes from the command line of an SSH key or from a
// configuration, and becomes part of a file's name, of a hold's tag and of a
// bookmark's. So one strict rule holds for all of them. The package does not
// know which names are in use.
package identity

import (
	"errors"
	"fmt"
	"unicode/utf8"
)

// MaxLen is the longest identity, in bytes.
const MaxLen = 64

// Check reports what is wrong with id as the name of a job or a client: it
// has 1 to 64 characters of A-Z a-z 0-9 . _ - and starts with neither . nor -.
func Check(id string) error {
	switch {
	case id == "":
		return errors.New("empty name")
	case len(id) > MaxLen:
		return fmt.Errorf("name of %d characters: at most %d", len(id), MaxLen)
	case id[0] == '.' || id[0] == '-':
		return fmt.Errorf("name starts with %q", id[0])
	}
	for i := range len(id) {
		if !legal(id[i]) {
			r, _ := utf8.DecodeRuneInString(id[i:])
			return fmt.Errorf("character %q at byte %d: a name has only A-Z a-z 0-9 . _ -", r, i+1)
		}
	}
	return nil
}

func legal(c byte) bool {
	switch {
	case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9':
		return true
	}
	return c == '.' || c == '_' || c == '-'
}
