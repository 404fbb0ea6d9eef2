package choose

import (
	"strings"
	"testing"
)

// TestSlips: what somebody means to be chosen, most likely, and is not.
func TestSlips(t *testing.T) {
	z := host(t, "p/q", "p/in", "p/in/a", "p/in/b", "p/in/b/c", "p/in/d", "p/in/e")
	for name, value := range map[string]string{"p/in/a": "Daily", "p/in/b": "daily ", "p/in/d": "dai ly\t", "p/in/e": "dayly"} {
		run(t, nil, "set", property+"="+value, name)
	}
	stream := func(name, value string) {
		t.Helper()
		run(t, nil, "set", property+"="+value, "p/q")
		run(t, nil, "snapshot", "p/q@s")
		run(t, run(t, nil, "send", "-p", "p/q@s"), "receive", "-u", name)
		run(t, nil, "destroy", "p/q@s")
	}
	stream("p/in/off", "off")
	stream("p/in/off/weekly", "weekly")
	run(t, nil, "create", "p/in/off/below")
	stream("p/in/got", "daily")
	stream("p/in/like", "Daily")
	for _, c := range []struct{ set, rules, received, misspelt, hidden string }{
		{"", `"p/in<": ok`, "p/in/got", "p/in/a p/in/b p/in/b/c p/in/d", ""},
		{"p/in=daily", `"p/in<": ok`, "p/in/got", "p/in/a p/in/b p/in/b/c p/in/d", "p/in/like p/in/off p/in/off/below p/in/off/weekly"},
		{"p=daily", `"p/in<": ok`, "p/in/got", "p/in/a p/in/b p/in/b/c p/in/d", "p/in/like p/in/off p/in/off/below p/in/off/weekly"},
		{"p=daily", `"p/in/off/below": ok, "p/in/b/c": ok`, "", "p/in/b/c", "p/in/off/below"},
		{"p=daily", `"p/in<": ok, "p/in/off": "!"`, "p/in/got", "p/in/a p/in/b p/in/b/c p/in/d", "p/in/like p/in/off/below p/in/off/weekly"},
		{"p=other", `"p/in<": ok`, "p/in/got", "p/in/a p/in/b p/in/b/c p/in/d", ""},
		{"p/in/off=daily", `"p/in<": ok`, "p/in/got", "p/in/a p/in/b p/in/b/c p/in/d", "p/in/off/weekly"},
	} {
		at, value, set := strings.Cut(c.set, "=")
		if set {
			run(t, nil, "set", property+"="+value, at)
		}
		j, err := Look(ctx, z, job(t, `type: autosnap, snapshot_prefix: x_, datasets: {`+c.rules+`}, select: {property: "zreplctl:backup=daily"}`))
		if err != nil {
			t.Fatal(err)
		}
		hidden, err := Hidden(ctx, z, j)
		if err != nil {
			t.Fatal(err)
		}
		got := []string{strings.Join(Received(j), " "), strings.Join(Misspelt(j), " "), strings.Join(hidden, " ")}
		for i, want := range []string{c.received, c.misspelt, c.hidden} {
			if got[i] != want {
				t.Errorf("%s, %s: %d: %q, want %q", c.set, c.rules, i, got[i], want)
			}
		}
		if set && at == "p/in/off" {
			run(t, nil, "inherit", "-S", property, at)
		} else if set {
			run(t, nil, "inherit", property, at)
		}
	}
}
