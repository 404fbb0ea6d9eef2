package cli

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"testing/iotest"

	"github.com/peterbourgon/ff/v3/ffcli"

	"github.com/zrepl-tools/zrepl-tools/lib/zfssim/simhost"
)

// TestMain lets this test binary stand in for a program: it copies records
// from its input, or finds another program.
func TestMain(m *testing.M) {
	switch name := os.Getenv("CLI_TEST_FIND"); {
	case name != "":
		path, err := Program(name)
		io.WriteString(os.Stdout, path)
		os.Exit(Print(os.Stderr, "tool", err))
	case os.Getenv("CLI_TEST_COPY") != "":
		os.Exit(copyRecords())
	}
	os.Exit(m.Run())
}

func copyRecords() int {
	command := &ffcli.Command{Name: "tool", Exec: func(ctx context.Context, _ []string) error {
		lines := NewRecords(Input(ctx, os.Stdin), false)
		for lines.Next() {
			if _, err := os.Stdout.Write(append(lines.Record(), '\n')); err != nil {
				return Quiet(err)
			}
		}
		return lines.Err()
	}}
	return Tool{Command: command, Stdout: os.Stdout, Stderr: os.Stderr}.Run(Context(), os.Args[1:])
}

// TestSignal: a signal ends a program that waits for its input, with a line
// and 128 and its number.
func TestSignal(t *testing.T) {
	for _, s := range []syscall.Signal{syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP} {
		signal.Notify(make(chan os.Signal, 1), s) // so that children do not ignore it, as under nohup(1)
		c := exec.Command(os.Args[0])
		c.Env = append(os.Environ(), "CLI_TEST_COPY=1")
		var errs bytes.Buffer
		c.Stderr = &errs
		in, err := c.StdinPipe()
		if err != nil {
			t.Fatal(err)
		}
		out, err := c.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := c.Start(); err != nil {
			t.Fatal(err)
		}
		io.WriteString(in, "a\n")
		var line [2]byte
		if _, err := io.ReadFull(out, line[:]); err != nil || string(line[:]) != "a\n" {
			t.Fatal(err, line)
		}
		c.Process.Signal(s) // it waits for more now
		c.Wait()
		if want := "tool: cannot read record 2: stopped by signal: " + s.String() + "\n"; c.ProcessState.ExitCode() != 128+int(s) || errs.String() != want {
			t.Errorf("%v: %v, %q", s, c.ProcessState, errs.String())
		}
	}
}

// TestProgram finds a program beside the executable, then in $PATH.
func TestProgram(t *testing.T) {
	own, path := t.TempDir(), t.TempDir()
	self := filepath.Join(own, "tool")
	if err := os.Link(os.Args[0], self); err != nil {
		text, err := os.ReadFile(os.Args[0])
		if err != nil {
			t.Fatal(err)
		}
		if err := simhost.WriteProgram(self, string(text)); err != nil {
			t.Fatal(err)
		}
	}
	find := func(name string) (string, string, int) {
		c := exec.Command(self)
		c.Env = []string{"CLI_TEST_FIND=" + name, "PATH=" + path}
		var out, errs bytes.Buffer
		c.Stdout, c.Stderr = &out, &errs
		c.Run()
		return out.String(), errs.String(), c.ProcessState.ExitCode()
	}
	got, errs, status := find("other")
	if got != "" || status != 1 || !strings.HasPrefix(errs, "tool: cannot find program \"other\": file does not exist\ntool: hint: ") {
		t.Errorf("nowhere: %q, %d, %s", got, status, errs)
	}
	for _, dir := range []string{path, own} { // the second goes first
		if err := simhost.WriteProgram(filepath.Join(dir, "other"), "#!/bin/sh\n"); err != nil {
			t.Fatal(err)
		}
		real, err := filepath.EvalSymlinks(dir)
		if err != nil {
			t.Fatal(err)
		}
		if got, errs, _ := find("other"); got != filepath.Join(dir, "other") && got != filepath.Join(real, "other") {
			t.Errorf("%q, want the one in %q; %s", got, dir, errs)
		}
	}
}

func TestInput(t *testing.T) {
	text := strings.Repeat("0123456789", 20_000)
	got, err := io.ReadAll(Input(t.Context(), iotest.HalfReader(strings.NewReader(text))))
	if err != nil || string(got) != text {
		t.Errorf("%d bytes, %v", len(got), err)
	}
	broken := errors.New("broken")
	if _, err := io.ReadAll(Input(t.Context(), iotest.ErrReader(broken))); err != broken {
		t.Errorf("%v", err)
	}
	ctx, cancel := context.WithCancelCause(t.Context())
	r, w := io.Pipe()
	defer w.Close()
	cancel(broken)
	if _, err := Input(ctx, r).Read(make([]byte, 1)); err != broken {
		t.Errorf("%v", err)
	}
}
