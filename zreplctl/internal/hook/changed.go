package hook

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"github.com/zrepl-tools/zrepl-tools/zreplctl/internal/config"
)

// compareHooks says what became of the hooks of before: missing are those that now
// has neither with the same command nor with a changed one. Changed has the hook
// of now that replaces one of before. One of now replaces one of before at most.
func compareHooks(before, now []*config.Hook) (missing []*config.Hook, changed map[*config.Hook]*config.Hook) {
	changed = map[*config.Hook]*config.Hook{}
	fresh := without(now, before)
	for _, hook := range without(before, now) {
		i := slices.IndexFunc(fresh, func(f *config.Hook) bool { return isChangeOf(f.Command, hook.Command) })
		if i < 0 {
			missing = append(missing, hook)
			continue
		}
		changed[hook] = fresh[i]
		fresh = slices.Delete(fresh, i, i+1)
	}
	return missing, changed
}

// without are the hooks of a list whose commands are not in another.
func without(list, other []*config.Hook) []*config.Hook {
	return slices.DeleteFunc(slices.Clone(list), func(hook *config.Hook) bool {
		return slices.ContainsFunc(other, func(o *config.Hook) bool { return slices.Equal(o.Command, hook.Command) })
	})
}

// isChangeOf reports whether a command looks like another that a person has
// corrected, and not like one that does something else: more than half of the
// words of the shorter one are in both. If in doubt it is another one. Then both
// run, which does less harm than a database that stays stopped.
func isChangeOf(now, before []string) bool {
	a, b := words(now), words(before)
	left := slices.Clone(b)
	for _, word := range a {
		if i := slices.Index(left, word); i >= 0 {
			left = slices.Delete(left, i, i+1)
		}
	}
	return 2*(len(b)-len(left)) > min(len(a), len(b))
}

// words are those of a command. A program that has moved is the same one. A shell
// with -c tells nothing of what its script does.
func words(command []string) (all []string) {
	program := filepath.Base(command[0])
	if strings.HasSuffix(program, "sh") && len(command) > 2 && command[1] == "-c" {
		command = command[1:]
	} else {
		all = append(all, program)
	}
	for _, argument := range command[1:] {
		all = append(all, strings.Fields(argument)...)
	}
	return all
}

// sayChanged names what is not run because it was changed.
func (h *Hooks) sayChanged(order []*config.Hook, changed map[*config.Hook]*config.Hook) {
	for _, hook := range order {
		if now := changed[hook]; now != nil {
			h.say(fmt.Sprintf("warning: a hook that an earlier run left was changed: %q runs in its place, and %q does not run any more",
				now.Command, hook.Command))
		}
	}
}
