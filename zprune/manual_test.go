package main

import (
	"flag"
	"os"
	"regexp"
	"slices"
	"testing"
)

// The manual describes just the flags that there are, in order.
func TestManual(t *testing.T) {
	text, err := os.ReadFile("zprune.8")
	if err != nil {
		t.Fatal(err)
	}
	var described, real []string
	for _, m := range regexp.MustCompile(`(?m)^\.It Fl ([^ \n]+)`).FindAllSubmatch(text, -1) {
		described = append(described, string(m[1]))
	}
	command(&pruner{}).FlagSet.VisitAll(func(f *flag.Flag) { real = append(real, f.Name) })
	if !slices.Equal(described, real) {
		t.Errorf("the manual has %v, the program %v", described, real)
	}
}
