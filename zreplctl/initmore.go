package main

import (
	"os"
	"path/filepath"
	"strings"

	"github.com/zrepl-tools/zrepl-tools/zreplctl/internal/config"
)

// conf is the folder for the files of further jobs.
const conf = "conf.d"

// own is the file of this job alone.
func (f *first) own() string {
	name := f.kind
	if f.kind != "local" {
		name += "_" + f.name()
	}
	return filepath.Join(f.dir, conf, name+".yml")
}

// more says what to type to have the job beside those in the configuration that
// is there, or another client of the same one; empty: that would not help.
func (f *first) more(text []byte) string {
	if f.path() != f.main() {
		return ""
	}
	if _, err := config.With(f.main(), f.own(), text); err != nil { // it has the job, or one on the same datasets
		if f.kind == "source" {
			return "write client_identities: [A, B] in serve of the source job, if another client gets the same datasets"
		}
		return ""
	}
	include := "echo 'include: " + conf + "/*.yml' >>" + shellWord(f.main())
	if there, err := os.ReadFile(f.main()); err != nil || config.HasInclude(f.main()) || len(there) > 0 && there[len(there)-1] != '\n' {
		include = "write " + conf + "/*.yml to include in " + f.main()
	}
	return "for one more job: " + include + ", and then " + f.command() + " writes " + f.own()
}

// command is what makes init do the same.
func (f *first) command() string {
	words := []string{"zreplctl init"}
	add := func(flag, value, common string) {
		if value != common {
			words = append(words, flag, shellWord(value))
		}
	}
	add("-dir", f.dir, initDir)
	add("-host", f.peer, initHost)
	if f.named {
		add("-client", f.client, "")
	}
	add("-user", f.user, initUser)
	return strings.Join(append(words, f.kind), " ")
}

// shellWord is a word as a shell reads it.
func shellWord(text string) string {
	plain := func(c rune) bool {
		return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || strings.ContainsRune("/._-+:@,=", c)
	}
	if text != "" && strings.TrimFunc(text, plain) == "" {
		return text
	}
	return "'" + strings.ReplaceAll(text, "'", `'\''`) + "'"
}
