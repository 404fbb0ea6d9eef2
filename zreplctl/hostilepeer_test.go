package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"iter"
	"net"
	"os"
	"path/filepath"
	"strings"

	"github.com/zrepl-tools/zrepl-tools/lib/frame"
	"github.com/zrepl-tools/zrepl-tools/lib/progress"
	"github.com/zrepl-tools/zrepl-tools/zreplctl/internal/control"
)

// peer speaks the protocol on standard input and output, frame by frame, so
// that nothing of ours cleans what it says.
func peer(mode string) {
	if mode == "banner" {
		fmt.Fprint(os.Stderr, evil, "\n")
		os.Exit(3)
	}
	if mode == "garbage" {
		fmt.Print("SSH-2.0-evil\x1b[2J\u202e\u009b\n")
		io.Copy(io.Discard, os.Stdin) // until the client hangs up
		os.Exit(0)
	}
	if mode == "inject" {
		inject()
	}
	fmt.Fprint(os.Stderr, evil, "\n")
	r := frame.NewReader(os.Stdin)
	for {
		call, ok := readCall(r)
		if !ok {
			os.Exit(0)
		}
		answer(mode, call)
	}
}

// readCall reads a request and returns its call.
func readCall(r *frame.Reader) (call string, ok bool) {
	r.Again()
	for {
		f, err := r.Next()
		if err != nil {
			return "", false
		}
		switch f.Type {
		case frame.TypeHeader:
			var h struct {
				Call string `json:"call"`
			}
			json.Unmarshal(f.Payload, &h)
			call = h.Call
		case frame.TypeTrailer:
			return call, true
		}
	}
}

func answer(mode, call string) {
	failing := map[string]string{"hello": "hello", "send": "send", "protect": "protect", "receive": "receive"}[mode]
	switch {
	case call == failing && call != "protect":
		reply("none", "failed", evil, nil, frame.StatusOK)
	case call == "hello":
		role := "source"
		if mode == "sink" || mode == "receive" {
			role = "sink"
		}
		if mode == "role" {
			role = evil
		}
		reply("json", "", "", map[string]any{"protocol": 1, "client": evil, "role": role, "zfs": evil}, frame.StatusOK)
	case call == "list" && mode == "trailer":
		reply("jsonl", "", "", nil, frame.StatusFailed)
	case call == "list":
		reply("jsonl", "", "", lies(), frame.StatusOK)
	case call == "protect":
		reply("json", "", "", map[string]any{"a/fine": evil, "b/back/a/fine": evil, evil: evil}, frame.StatusOK)
	case call == "deferred":
		reply("json", "", "", []any{}, frame.StatusOK)
	case call == "targets" && mode == "sink":
		reply("json", "", "", map[string]any{"a/x": evil, evil: evil}, frame.StatusOK)
	case call == "targets":
		reply("json", "", "", map[string]any{"a/x": "b/sink/x"}, frame.StatusOK)
	case call == "takes":
		reply("json", "", "", map[string]any{"lacks": map[string]any{evil: []string{evil}, "b": []string{evil}}}, frame.StatusOK)
	default:
		reply("none", "failed", evil, nil, frame.StatusOK)
	}
}

// lies is a list with each text in each place.
func lies() []any {
	version := func(name string) []map[string]any {
		return []map[string]any{{"kind": 64, "name": name, "guid": uint64(1)<<63 + 1, "createtxg": 1}}
	}
	all := []any{
		map[string]any{"name": "a/fine", "versions": version("s1")},
		map[string]any{"name": "a/snap", "versions": version("s" + evil)},
		map[string]any{"name": "a/twice", "versions": version("s1")},
		map[string]any{"name": "a/part", "versions": version("s1"), "partial": map[string]any{"token": evil, "bad": evil, "of": evil}, "recorded": evil, "held": []string{evil}, "marks": []string{evil}},
		map[string]any{"name": "a/twice", "versions": version("s1")},
		map[string]any{"name": "a/type", "versions": evil},
		map[string]any{"name": "", "versions": version("s1")},
	}
	for _, c := range evil {
		all = append(all, map[string]any{"name": "a/evil" + string(c) + "x", "versions": version("s1")})
	}
	return all
}

// reply writes one message: with a code an error, a list as lines.
func reply(body, code, message string, value any, status string) {
	header := map[string]any{"zrpc": 1, "status": "ok", "body": body}
	if code != "" {
		header = map[string]any{"zrpc": 1, "status": "error", "body": "none", "code": code, "error": message}
	}
	rest, _ := json.Marshal(header)
	w := frame.NewWriter(os.Stdout, frame.CRC32C)
	w.Header([]byte(`{"zframe":1,"checksum":"crc32c",` + string(rest[1:])))
	switch list, ok := value.([]any); {
	case body == "jsonl":
		for _, v := range list {
			text, _ := json.Marshal(v)
			w.Data(append(text, '\n'))
		}
	case value != nil || ok:
		text, _ := json.Marshal(value)
		w.Data(text)
	}
	t := frame.Trailer{Status: status}
	if status != frame.StatusOK {
		t.Reason, t.Stderr, t.Signal = "failed: "+evil, evil, evil
	}
	w.Trailer(t)
}

// daemon answers at the control socket as a hostile daemon would.
func (w *hostileWorld) daemon() {
	path := filepath.Join(w.dir, "run", "daemon", "control")
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		w.t.Fatal(err)
	}
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
	if err != nil {
		w.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(w.t.Context())
	served := make(chan struct{})
	go func() { defer close(served); control.Serve(ctx, l, evilDaemon{}) }()
	w.t.Cleanup(func() { cancel(); <-served })
}

type evilDaemon struct{}

func (evilDaemon) Status() control.Status {
	rows := []progress.Dataset{{Source: evil, Target: evil, State: evil, To: evil, Reason: evil, Error: evil}}
	return control.Status{PID: 1, Config: evil, Jobs: []control.Job{
		{Name: evil, Type: evil, State: evil, Step: evil, Clients: []string{evil}, Last: &control.Run{Error: evil},
			Progress: &progress.Snapshot{Datasets: rows}, Connections: []control.Connection{{Client: evil, Run: evil, Call: evil}}},
		{Name: "none", Progress: &progress.Snapshot{}},
	}}
}

func (d evilDaemon) Watch(context.Context) iter.Seq[control.Status] {
	return func(yield func(control.Status) bool) { yield(d.Status()) }
}

func (d evilDaemon) Run(context.Context, control.Request) (iter.Seq[control.Event], error) {
	return func(yield func(control.Event) bool) {
		one := 1
		for _, e := range []control.Event{{Stdout: evil + "\n"}, {Stderr: evil + "\n"}, {Progress: d.Status().Jobs[0].Progress}, {Exit: &one}} {
			if !yield(e) {
				return
			}
		}
	}, nil
}

func (evilDaemon) Stop(context.Context, control.Request) (int, error) { return 0, control.ErrNoJob }
func (evilDaemon) Look(context.Context, control.Request) error        { return control.ErrNoJob }
func (evilDaemon) Reload(context.Context, string) (control.Reloaded, error) {
	return control.Reloaded{Added: []string{evil}}, nil
}

// fakeZFS makes zfs a program that fails at everything but lists and holds,
// in words that nobody should print.
func (w *hostileWorld) fakeZFS() {
	w.write("zfs", "#!/bin/sh\ncase $1 in\nholds) printf 'a/x@s1\\tzreplctl_%s\\tdate\\n' \"$TEXT\";;\n"+
		"list) case $* in *userrefs*) printf 'a/x@s1\\t1\\n';; *bookmark*) ;; *) printf '%s' \"$TEXT\" >&2; exit 1;; esac;;\n"+
		"*) printf '%s' \"$TEXT\" >&2; exit 1;;\nesac\n")
	if err := os.Chmod(filepath.Join(w.dir, "zfs"), 0o755); err != nil {
		w.t.Fatal(err)
	}
	w.env = append(w.env, "ZREPL_ZFS="+filepath.Join(w.dir, "zfs"), "TEXT="+strings.NewReplacer("\n", "", "\t", "").Replace(evil))
}

// properties makes a dataset whose properties have hostile values.
func (w *hostileWorld) properties() {
	w.zfs("zfs", "create", "-o", "readonly=on", "b/x")
	w.zfs("zfs", "set", "evil:x="+strings.NewReplacer("\n", "", "\t", "").Replace(evil), "b/x")
}
