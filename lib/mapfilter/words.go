package mapfilter

import (
	"errors"
	"fmt"
	"strings"

	"gopkg.in/yaml.v3"
)

// answers are words that a person writes for yes or no, with the result that
// they stand for. As a pool's name each would be legal, and hardly any pool is
// called so, which is why they are no results at all.
var answers = map[string]kind{
	"yes": passes, "true": passes, "on": passes, "okay": passes,
	"allow": passes, "include": passes, "pass": passes,
	"no": omits, "false": omits, "off": omits, "null": omits, "nil": omits, "none": omits, "~": omits,
	"deny": omits, "exclude": omits, "skip": omits, "ignore": omits, "omitted": omits,
}

// checkAnswer refuses a result that reads like yes or no.
func checkAnswer(result string) error {
	switch meant, is := answers[strings.ToLower(result)]; {
	case !is:
		return nil
	case meant == passes:
		return errors.New("it is not a result: write ok in a filter, or a target dataset in a map")
	}
	return errors.New(`it is not a result: write "!" in quotes to leave the dataset out`)
}

// notText says what to write instead of a value that YAML does not take for
// text. Quotes alone would make a dataset's name of it.
func notText(n *yaml.Node, isResult bool) error {
	said := n.Value
	if n.ShortTag() == "!!null" {
		said = "nothing"
	}
	if !isResult {
		return fmt.Errorf(`%s is not a pattern: write a dataset, or a dataset and "<"`, said)
	}
	if err := checkAnswer(n.Value); err != nil {
		return fmt.Errorf("%s: %w", said, err)
	}
	if n.ShortTag() == "!!null" {
		return errors.New(`nothing: write "!" in quotes to leave the dataset out`)
	}
	return fmt.Errorf(`%s is not a result: write ok, "!" in quotes, or a target dataset`, said)
}
