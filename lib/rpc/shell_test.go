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
// reads a first request, and does nothing. All but csh and fish end at once.
func TestShell(t *testing.T) {
	first := hello(t)
	for _, name := range []string{"sh", "bash", "dash", "ash", "zsh", "ksh", "mksh", "yash", "tcsh", "fish", "busybox"} {
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
			own := t.TempDir() // a fish makes directories of its own
			for _, name := range []string{"CONFIG_HOME", "DATA_HOME", "CACHE_HOME", "STATE_HOME", "RUNTIME_DIR"} {
				cmd.Env = append(cmd.Env, "XDG_"+name+"="+own)
			}
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
			if name == "tcsh" || name == "fish" {
				in.Close() // it reads all of it before it begins
			}
			err = cmd.Wait()
			if ctx.Err() != nil || err == nil {
				t.Errorf("%v, %v: %s", err, ctx.Err(), stderr.String())
			}
			if !marked(stderr.String()) {
				t.Errorf("it says %q", stderr.String())
			}
			entries, err := os.ReadDir(home)
			if len(entries) > 0 || err != nil {
				t.Errorf("it made %v (%v)", entries, err)
			}
		})
	}
}

// marked reports whether a client takes these for a shell's words.
func marked(said string) bool {
	said = strings.ReplaceAll(said, `"`, "")
	return slices.ContainsFunc(ShellMarks, func(mark string) bool { return strings.Contains(said, mark) })
}

// TestShellWords: what shells have said, also those that are not installed.
func TestShellWords(t *testing.T) {
	const first = "\x01\x01k\xd6B\xb2E{\"zframe\":1,\"checksum\":\"crc32c\",\"zrpc\":1,\"call\":\"hello\",\"body\":\"json\",\"accept\":\"json\",\"shell\":"
	for name, said := range map[string]string{
		"dash":    "-dash: 1: " + first + ": not found\n",
		"bash":    "-bash: line 1: " + first + ": command not found\n",
		"mksh":    "E: mksh: <stdin>[1]: " + first + ": inaccessible or not found\n",
		"busybox": "sh: " + strings.ReplaceAll(first, `"`, "") + ": not found\n",
		"zsh":     "zsh: command not found: ^A^A\n",
		"fish":    "fish: Unknown command: \\ca\\ca\nfish: \n\x01\x01",
		"tcsh":    "Warning: no access to tty (Inappropriate ioctl for device).\nThus no job control in this shell.\nexit: Command not found.\nToo many ('s.\n",
	} {
		if !marked(said) {
			t.Errorf("%s: %q has no mark", name, said)
		}
	}
	if said := "zstdinserver: command not found\nWelcome"; marked(said) {
		t.Errorf("%q has a mark", said)
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
