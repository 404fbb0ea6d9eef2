package dataset

import "testing"

func TestMatchesNone(t *testing.T) {
	for expr, want := range map[string]bool{
		"": false, "a": false, "^a_h$": false, "[@a]": false, "@?": false, "@|a": false, "(?i)A": false, `\pL`: false, ".": false, "a b:c": false, "(@{0,2})a": false, "(": false,
		"@": true, "a/b": true, `^a$\n`: true, "(#)+": true, "@{2}": true, "[^ -~]": true, "@|/": true, "ä": true, "[@/]": true,
	} {
		if got := MatchesNone(expr); got != want {
			t.Errorf("%q: %v", expr, got)
		}
	}
}
