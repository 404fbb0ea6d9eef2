package rpc

import (
	"bytes"
	"context"
	"io"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"
)

// hello is the request that a client sends first.
func hello(t *testing.T) []byte {
	t.Helper()
	l := pipes(t)
	c, err := NewConn(l.clientIn, l.clientOut)
	if err != nil {
		t.Fatal(err)
	}
	c.EndShell = true
	l.serverOut.Close()
	if err := c.Call(context.Background(), "hello", question{"a"}, new(answer)); err != ErrHungUp {
		t.Fatal(err)
	}
	c.Close()
	l.clientOut.Close()
	sent, err := io.ReadAll(l.serverIn)
	if err != nil {
		t.Fatal(err)
	}
	return sent
}

// TestFirstLine: the first line of the first request is one word of a shell,
// and the second one is exit.
func TestFirstLine(t *testing.T) {
	line, rest, _ := bytes.Cut(hello(t), []byte("\n"))
	if second, _, _ := bytes.Cut(rest, []byte("\n")); string(second) != `"exit"` {
		t.Errorf("the second line is %q", second)
	}
	before, quoted, _ := bytes.Cut(line, []byte("{"))
	for _, c := range before {
		letter := 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9'
		if !letter && c >= 2 && c < 0x80 {
			t.Errorf("a shell may act on %q in %q", c, before)
		}
	}
	for i, part := range strings.Split(string(quoted), `"`) {
		if i%2 == 0 && strings.Trim(part, ":,1") != "" || i%2 == 1 && strings.ContainsAny(part, "$`\\!") {
			t.Errorf("a shell may act on %q", part)
		}
	}
	if strings.Count(string(quoted), `"`)%2 != 0 {
		t.Errorf("a quote is open at the end of %q", quoted)
	}
}

// TestShell: every shell that is installed says what the client looks for when it
// reads a first request, and does nothing. All but csh end at once.
func TestShell(t *testing.T) {
	first := hello(t)
	for _, name := range []string{"sh", "bash", "dash", "ash", "zsh", "ksh", "mksh", "yash", "tcsh", "busybox"} {
		path, err := exec.LookPath(name)
		if err != nil {
			continue
		}
		t.Run(name, func(t *testing.T) {
			home := t.TempDir()
			ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
			defer cancel()
			cmd := exec.CommandContext(ctx, path)
			if cmd.Args[0] = "-" + name; name == "busybox" {
				cmd.Args = []string{"busybox", "sh"}
			}
			cmd.Dir, cmd.Env = home, []string{"HOME=" + home, "PATH=" + os.Getenv("PATH")}
			var stderr strings.Builder
			cmd.Stderr = &stderr
			in, err := cmd.StdinPipe()
			if err != nil {
				t.Fatal(err)
			}
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			in.Write(first)
			if name == "tcsh" {
				in.Close() // it obeys no exit in quotes
			}
			err = cmd.Wait()
			if ctx.Err() != nil || err == nil {
				t.Errorf("%v, %v: %s", err, ctx.Err(), stderr.String())
			}
			said := strings.ReplaceAll(stderr.String(), `"`, "")
			if !slices.ContainsFunc(ShellMarks, func(mark string) bool { return strings.Contains(said, mark) }) {
				t.Errorf("it says %q", said)
			}
			entries, err := os.ReadDir(home)
			if len(entries) > 0 || err != nil {
				t.Errorf("it made %v (%v)", entries, err)
			}
		})
	}
}

// TestShellServed: a server serves such a request as any other, and no other
// word to a shell.
func TestShellServed(t *testing.T) {
	l := pipes(t)
	c, _ := connect(t, testServer(), l)
	c.EndShell = true
	for range 2 {
		var a answer
		if err := c.Call(context.Background(), "echo", question{"a"}, &a); err != nil || a.Text != "a" {
			t.Errorf("%+v, %v", a, err)
		}
	}
	for text, good := range map[string]bool{`"exit"`: true, `"rm"`: false, `1`: false} {
		header := requestHeader{call: "a", body: bodyNone, accept: bodyNone, shell: true}.append(nil)
		_, err := parseRequest(bytes.Replace(header, []byte(`"exit"`), []byte(text), 1))
		if (err == nil) != good {
			t.Errorf("%s: %v", text, err)
		}
	}
}
