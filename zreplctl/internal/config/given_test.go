package config

import (
	"fmt"
	"strings"
	"testing"
)

// A sink that gives copies back has its target for itself, shared or not: nobody
// could tell of a copy there whose it is.
func TestGivenBackAlone(t *testing.T) {
	const sink = `
- name: given
  type: push-sink
  serve: {type: stdinserver, client_identity: p1}
  root: v/t/one
  shared_target: true
  restore: %s
`
	others := map[string]string{}
	for _, target := range []string{"v/t", "v/t/one", "v/t/one/sub", "v/t/one2", "v/t/two"} {
		others["sink "+target] = `- {name: other, type: push-sink, serve: {type: stdinserver, client_identity: p2}, root: ` + target + `, shared_target: true}`
		others["pull "+target] = `- {name: other, type: pull, connect: {type: ssh+stdinserver, host: h, user: u, port: 22, identity_file: /k}, mapping: {"x/y<": ` + target + `}, shared_target: true}`
		others["local "+target] = `- {name: other, type: local, mapping: {"x/y<": ` + target + `}, shared_target: true}`
	}
	for what, other := range others {
		alone := strings.HasSuffix(what, "/one2") || strings.HasSuffix(what, "/two")
		for _, turn := range []string{sink + other, other + sink} {
			turn = "jobs:\n" + strings.ReplaceAll(turn, "}- ", "}\n- ")
			_, err := Parse([]byte(fmt.Sprintf(turn, "allow")), "f", testDefaults)
			line := strings.Count(turn[:strings.Index(turn, "  restore:")], "\n") + 1
			want := fmt.Sprintf(`f:%d:`, line)
			switch {
			case alone && err != nil:
				t.Errorf("%s: %v", what, err)
			case !alone && (err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), `restore: allow would also give its client what job "other" receives`)):
				t.Errorf("%s, line %d: %v", what, line, err)
			}
			if _, err := Parse([]byte(fmt.Sprintf(turn, "refuse")), "f", testDefaults); err != nil {
				t.Errorf("%s, refused: %v", what, err)
			}
		}
	}
}
