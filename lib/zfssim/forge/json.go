package forge

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
)

var errPairs = errors.New("want an object of null, true, false, numbers, strings and objects")

// ParsePairs reads the pairs of an nvlist from JSON, in their order: null is
// a boolean that is there, true and false are boolean values. A name that
// begins with "cover:" is that of a boolean which hides the pairs of its
// object, see Pair.Hidden.
func ParsePairs(text string) ([]Pair, error) {
	d := json.NewDecoder(strings.NewReader(text))
	d.UseNumber()
	if t, err := d.Token(); err != nil || t != json.Delim('{') {
		return nil, errPairs
	}
	pairs, err := parsePairs(d)
	if err != nil {
		return nil, err
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return nil, errPairs
	}
	return pairs, nil
}

func parsePairs(d *json.Decoder) ([]Pair, error) {
	pairs := []Pair{}
	for d.More() {
		name, err := d.Token()
		if err != nil {
			return nil, err
		}
		value, err := parseValue(d)
		if err != nil {
			return nil, fmt.Errorf("%v: %w", name, err)
		}
		p := Pair{Name: name.(string), Value: value}
		if under, ok := strings.CutPrefix(p.Name, "cover:"); ok {
			hidden, _ := value.([]Pair)
			p = Pair{Name: under, Hidden: hidden}
		}
		pairs = append(pairs, p)
	}
	_, err := d.Token()
	return pairs, err
}

func parseValue(d *json.Decoder) (any, error) {
	t, err := d.Token()
	if err != nil {
		return nil, err
	}
	switch t := t.(type) {
	case nil, bool, string:
		return t, nil
	case json.Number:
		return strconv.ParseUint(t.String(), 10, 64)
	}
	if t != json.Delim('{') {
		return nil, errPairs
	}
	return parsePairs(d)
}
