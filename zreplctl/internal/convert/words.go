package convert

import (
	"errors"
	"fmt"
	"path"
	"strings"
)

// words takes a command line apart as a shell does, without expanding
// anything. What follows an operator, such as | or >, is the rest.
func words(line string) (all []string, rest string, err error) {
	var word strings.Builder
	inWord := false
	end := func() {
		if inWord {
			all, inWord = append(all, word.String()), false
			word.Reset()
		}
	}
	for i := 0; i < len(line); i++ {
		c := line[i]
		switch {
		case c == ' ' || c == '\t' || c == '\n' || c == '\r':
			end()
		case strings.IndexByte("|&;<>", c) >= 0:
			if c == '>' && inWord && strings.Trim(word.String(), "12") == "" {
				inWord = false
				word.Reset()
			}
			end()
			return all, line[i:], nil
		case c == '#' && !inWord:
			return all, line[i:], nil
		case c == '\\' && i+1 < len(line):
			i++
			inWord = true
			if line[i] != '\n' {
				word.WriteByte(line[i])
			}
		case c == '\'' || c == '"':
			n, err := quoted(line[i:], &word)
			if err != nil {
				return nil, "", err
			}
			i, inWord = i+n, true
		case c == '$' || c == '`':
			return nil, "", fmt.Errorf("%q is for a shell to expand: write what it stands for", cut(line[i:], 20))
		default:
			word.WriteByte(c)
			inWord = true
		}
	}
	end()
	return all, "", nil
}

// quoted reads a text in quotes, and returns where its last quote stands.
func quoted(text string, word *strings.Builder) (int, error) {
	quote := text[0]
	for i := 1; i < len(text); i++ {
		switch c := text[i]; {
		case c == quote:
			return i, nil
		case quote == '"' && c == '\\' && i+1 < len(text) && strings.IndexByte("\"\\$`", text[i+1]) >= 0:
			i++
			word.WriteByte(text[i])
		case quote == '"' && (c == '$' || c == '`'):
			return 0, fmt.Errorf("%q is for a shell to expand: write what it stands for", cut(text[i:], 20))
		default:
			word.WriteByte(c)
		}
	}
	return 0, errors.New("a quote is not closed")
}

// arguments are what follows the name of the program.
func arguments(all []string) []string {
	for i, word := range all {
		if path.Base(word) == "syncoid" {
			return all[i+1:]
		}
	}
	return all
}

// option is one of a command line.
type option struct{ name, value string }

// options separates options and operands. takes says, by name, whether an
// option has a value; unique beginnings of names will do.
func options(args []string, takes map[string]bool) (found []option, operands []string, err error) {
	for i := 0; i < len(args); i++ {
		arg := args[i]
		if arg == "--" {
			return found, append(operands, args[i+1:]...), nil
		}
		if len(arg) < 2 || arg[0] != '-' {
			operands = append(operands, arg)
			continue
		}
		name, value, has := strings.Cut(strings.TrimPrefix(strings.TrimPrefix(arg, "-"), "-"), "=")
		name, err := full(name, takes)
		if err != nil {
			return nil, nil, err
		}
		if takes[name] && !has {
			if i++; i == len(args) {
				return nil, nil, fmt.Errorf("--%s needs a value", name)
			}
			value = args[i]
		}
		found = append(found, option{name, value})
	}
	return found, operands, nil
}

func full(name string, takes map[string]bool) (string, error) {
	if _, known := takes[name]; known {
		return name, nil
	}
	match, n := "", 0
	for known := range takes {
		if strings.HasPrefix(known, name) {
			match, n = known, n+1
		}
	}
	switch {
	case name == "" || n == 0:
		return "", fmt.Errorf("the option %q is not one of syncoid's", cut(name, 60))
	case n > 1:
		return "", fmt.Errorf("the option %q could be several", cut(name, 60))
	}
	return match, nil
}
