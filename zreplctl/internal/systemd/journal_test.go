package systemd

import (
	"bytes"
	"fmt"
	"io"
	"log/slog"
	"os"
	"strings"
	"syscall"
	"testing"
)

func TestPriorities(t *testing.T) {
	var b bytes.Buffer
	log := slog.New(Priorities(&b, func(w io.Writer) slog.Handler {
		return slog.NewTextHandler(w, &slog.HandlerOptions{Level: slog.LevelDebug})
	}))
	log.With("job", "a").Error("one")
	log.WithGroup("g").Warn("two", "x", 1)
	log.Info("three")
	log.Debug("four")
	var got []string
	for line := range strings.Lines(b.String()) {
		got = append(got, line[:3]+line[strings.Index(line, "msg="):])
	}
	if s := strings.Join(got, ""); s != "<3>msg=one job=a\n<4>msg=two g.x=1\n<6>msg=three\n<7>msg=four\n" {
		t.Error(s)
	}
}

// Only the stream that the variable names goes to the journal.
func TestInJournal(t *testing.T) {
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	defer w.Close()
	info, _ := w.Stat()
	stat := info.Sys().(*syscall.Stat_t)
	for text, want := range map[string]bool{
		"":                                       false,
		"x":                                      false,
		fmt.Sprintf("%d:%d", stat.Dev, stat.Ino): true,
		fmt.Sprintf("%d:%d", stat.Dev, stat.Ino+1): false,
	} {
		t.Setenv("JOURNAL_STREAM", text)
		if InJournal(int(w.Fd())) != want {
			t.Errorf("%q: %v", text, !want)
		}
	}
}
