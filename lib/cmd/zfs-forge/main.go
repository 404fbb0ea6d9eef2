// Command zfs-forge makes send streams that zfs send never would, for tests;
// see package forge.
//
//	zfs-forge edit IN OUT CHANGE…            changes the first DRR_BEGIN, or the N-th behind at=N
//	zfs-forge package OUT NAME JSON IN…      wraps streams; JSON is the payload, "" for none
//	zfs-forge show IN                        prints the fields of each DRR_BEGIN
package main

import (
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/zrepl-tools/zrepl-tools/lib/zfssim/forge"
)

func main() { os.Exit(run(os.Args[1:], os.Stdout, os.Stderr)) }

func run(args []string, stdout, stderr io.Writer) int {
	err := errUsage
	switch {
	case len(args) >= 3 && args[0] == "edit":
		err = edit(args[1], args[2], args[3:])
	case len(args) >= 4 && args[0] == "package":
		err = wrap(args[1], args[2], args[3], args[4:])
	case len(args) == 2 && args[0] == "show":
		err = show(stdout, args[1])
	}
	switch {
	case errors.Is(err, errUsage):
		fmt.Fprintln(stderr, "usage: zfs-forge edit IN OUT CHANGE… | package OUT NAME JSON IN… | show IN")
		return 2
	case err != nil:
		fmt.Fprintf(stderr, "zfs-forge: %v\n", err)
		return 1
	}
	return 0
}

var errUsage = errors.New("usage")

func read(path string) (forge.Stream, error) {
	b, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	s, err := forge.Parse(b)
	if err != nil {
		return nil, fmt.Errorf("cannot read %q: %w", path, err)
	}
	return s, nil
}

func wrap(out, name, payload string, in []string) error {
	var packed []byte
	if payload != "" {
		pairs, err := forge.ParsePairs(payload)
		if err != nil {
			return fmt.Errorf("cannot read the payload: %w", err)
		}
		packed = forge.Pack(pairs...)
	}
	var inner []forge.Stream
	for _, path := range in {
		s, err := read(path)
		if err != nil {
			return err
		}
		inner = append(inner, s)
	}
	return os.WriteFile(out, forge.Package(unescape(name), packed, inner...).Bytes(), 0o644)
}

func show(w io.Writer, path string) error {
	s, err := read(path)
	if err != nil {
		return err
	}
	for _, r := range s.Begins() {
		fmt.Fprintf(w, "begin %s header=%d features=%#x flags=%#x type=%d to=%d from=%d creation=%d payload=%d\n", r.Name(), r.Header(),
			r.Features(), r.Get(forge.Flags), r.Get(forge.ObjectSet), r.Get(forge.ToGUID), r.Get(forge.FromGUID), r.Get(forge.Creation), len(r.Payload))
	}
	return nil
}
