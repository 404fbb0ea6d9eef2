package zfssim

import (
	"fmt"
	"strings"
)

// options are a command's flags as getopt_long(3) reads them: bundled short
// flags, a few long names for them, operands anywhere between.
type options struct {
	flags map[byte]bool
	vals  map[byte][]string
	order []byte // flags in the order given
	args  []string
}

func (o *options) has(c byte) bool { return o.flags[c] }

func (o *options) val(c byte) (string, bool) {
	v := o.vals[c]
	if len(v) == 0 {
		return "", false
	}
	return v[len(v)-1], true
}

// getopt reads args by spec ("Hrd:"); long maps long names to letters. A
// usage error is returned as zfs words it.
func getopt(args []string, spec string, long map[string]byte) (*options, error) {
	o := &options{flags: map[byte]bool{}, vals: map[byte][]string{}}
	for len(args) > 0 {
		arg := args[0]
		args = args[1:]
		switch {
		case arg == "--":
			o.args = append(o.args, args...)
			return o, nil
		case strings.HasPrefix(arg, "--"):
			c, ok := long[arg[2:]]
			if !ok {
				return nil, fmt.Errorf("unrecognized option '%s'", arg)
			}
			o.set(c)
		case len(arg) > 1 && arg[0] == '-':
			rest, err := o.bundle(arg[1:], args, spec)
			if err != nil {
				return nil, err
			}
			args = rest
		default:
			o.args = append(o.args, arg)
		}
	}
	return o, nil
}

func (o *options) set(c byte) { o.flags[c] = true; o.order = append(o.order, c) }

func (o *options) bundle(letters string, args []string, spec string) ([]string, error) {
	for i := 0; i < len(letters); i++ {
		c := letters[i]
		at := strings.IndexByte(spec, c)
		if at < 0 || c == ':' {
			return nil, fmt.Errorf("invalid option '%c'", c)
		}
		o.set(c)
		if at+1 == len(spec) || spec[at+1] != ':' {
			continue
		}
		value := letters[i+1:]
		if value == "" {
			if len(args) == 0 {
				return nil, fmt.Errorf("missing argument for '%c' option", c)
			}
			value, args = args[0], args[1:]
		}
		o.vals[c] = append(o.vals[c], value)
		return args, nil
	}
	return args, nil
}
