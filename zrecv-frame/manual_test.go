package main

import (
	"context"
	"io"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// The manual page describes the flags that there are, and no others.
func TestManual(t *testing.T) {
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	if status := run(context.Background(), []string{"-h"}, nil, w, io.Discard); status != 0 {
		t.Errorf("-h: exit status %d", status)
	}
	w.Close()
	usage, _ := io.ReadAll(r)
	page, err := os.ReadFile("zrecv-frame.1")
	if err != nil {
		t.Fatal(err)
	}
	names := func(expr, text string) (found []string) {
		for _, m := range regexp.MustCompile(expr).FindAllStringSubmatch(text, -1) {
			found = append(found, m[1])
		}
		slices.Sort(found)
		return slices.Compact(found)
	}
	flags := names(`(?m)^  -([a-z-]+)`, string(usage))
	if described := names(`(?m)^\.It Fl ([a-z-]+)`, string(page)); len(flags) == 0 || !slices.Equal(flags, described) {
		t.Errorf("the flags are %v, the manual page describes %v", flags, described)
	}
	synopsis, _, _ := strings.Cut(string(page), ".Sh DESCRIPTION")
	if shown := names(`(?m)^(?:\.Op )?\.?Fl ([a-z-]+)`, synopsis); !slices.Equal(flags, shown) {
		t.Errorf("the flags are %v, the synopsis shows %v", flags, shown)
	}
}
