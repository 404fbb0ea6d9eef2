package peek

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// sourceOf is the ZFS dataset or snapshot whose mount an open file is on.
func sourceOf(fd int) (string, error) {
	var stat unix.Statx_t
	if err := unix.Statx(fd, "", unix.AT_EMPTY_PATH, unix.STATX_MNT_ID, &stat); err != nil {
		return "", err
	}
	if stat.Mask&unix.STATX_MNT_ID == 0 {
		return "", errors.New("this kernel does not say on which mount it is")
	}
	f, err := os.Open("/proc/thread-self/mountinfo")
	if err != nil {
		return "", err
	}
	defer f.Close()
	return mountSource(f, stat.Mnt_id)
}

// mountSource reads proc_pid_mountinfo(5): ID PARENT DEV ROOT AT OPTIONS [FIELDS] - TYPE SOURCE SUPER.
func mountSource(mountinfo io.Reader, id uint64) (string, error) {
	lines := bufio.NewScanner(mountinfo)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		first, last, _ := strings.Cut(lines.Text(), " - ")
		mount, what := strings.Fields(first), strings.Fields(last)
		if len(mount) < 6 || mount[0] != strconv.FormatUint(id, 10) {
			continue
		}
		if len(what) < 2 || what[0] != "zfs" || mount[3] != "/" {
			return "", errors.New("it is not of ZFS")
		}
		return unescape(what[1]), nil
	}
	return "", errors.Join(fmt.Errorf("its mount %d is not listed", id), lines.Err())
}

// unescape: a space is \040.
func unescape(text string) string {
	return strings.NewReplacer(`\040`, " ", `\011`, "\t", `\012`, "\n", `\134`, `\`, `\043`, "#").Replace(text)
}
