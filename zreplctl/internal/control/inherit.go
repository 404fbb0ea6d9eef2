package control

import (
	"io"
	"os"
	"strconv"
)

// maxText bounds what is read of a descriptor, in bytes. A configuration is
// shorter.
const maxText = 4 << 20

// Inherited returns the text of the configuration that the daemon gave to this
// process, once: nothing that this process starts has it.
func Inherited() (text []byte, ok bool) {
	fd, err := strconv.Atoi(os.Getenv(ConfigEnv))
	os.Unsetenv(ConfigEnv)
	if err != nil || fd < 3 {
		return nil, false
	}
	f := os.NewFile(uintptr(fd), "configuration")
	if f == nil {
		return nil, false
	}
	defer f.Close()
	text, err = io.ReadAll(io.NewSectionReader(f, 0, maxText)) // others read the same file
	return text, err == nil
}
