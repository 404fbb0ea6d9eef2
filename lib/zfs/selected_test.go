package zfs

import (
	"errors"
	"strings"
	"testing"

	"github.com/zrepl-tools/zrepl-tools/lib/property"
)

func everything(string) bool { return true }

// TestSelectedMoved: somebody changes the property between the two commands. It
// is looked at once more, and then fails: nothing is guessed.
func TestSelectedMoved(t *testing.T) {
	const look = `
case "$*" in
*" -r "*) printf 'p/a\ttype\tfilesystem\t-\np/a\tu:x\tdaily\tinherited from p\np/a\tguid\t1\t-\n' ;;
*) echo x >>"$0.asked"; if [ "$(wc -l <"$0.asked")" -gt MOVES ]; then v=daily; else v=weekly; fi
   printf 'p\ttype\tfilesystem\t-\np\tu:x\t%s\tlocal\np\tguid\t2\t-\n' $v ;;
esac`
	s := property.Selector{Name: "u:x", Value: "daily"}
	for moves, good := range map[string]bool{"0": true, "1": true, "2": false} {
		z, args := fake(t, strings.ReplaceAll(look, "MOVES", moves))
		got, err := z.Selected(ctx, []string{"p/a"}, true, s, everything)
		if (err == nil) != good || got["p/a"].Chosen != good {
			t.Errorf("moved %s times: %+v, %v", moves, got, err)
		}
		if err != nil && (!errors.Is(err, property.ErrMoved) || !strings.Contains(err.Error(), `dataset "p/a": `)) {
			t.Error(err)
		}
		words := strings.Join(args(), " ")
		if want := "get -Hp -o name,property,value,source -t filesystem,volume -r type,u:x,guid p/a get -Hp -o name,property,value,source -t filesystem,volume type,u:x,guid p"; !strings.HasPrefix(words, want) {
			t.Error(words)
		}
	}
	for _, bad := range []string{
		"printf 'p/a\\ttype\\tfilesystem\\t-\\np/a\\tu:x\\tdaily\\tsomewhere\\np/a\\tguid\\t1\\t-\\n'",
		"printf 'p/a\\ttype\\tfilesystem\\t-\\n'",
		"echo \"cannot open 'p/a': I/O error\" >&2; exit 1",
	} {
		z, _ := fake(t, bad)
		if got, err := z.Selected(ctx, []string{"p/a"}, true, s, everything); err == nil {
			t.Errorf("%s: %+v", bad, got)
		}
	}
}
