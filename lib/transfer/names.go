package transfer

import (
	"encoding/json"
	"maps"
	"slices"
)

// NameSet is a set of names, a list in JSON. A far side may list as many as it
// likes, so that none is looked for one by one.
type NameSet map[string]struct{}

// Names makes a set; nil without names.
func Names(names ...string) (s NameSet) {
	for _, name := range names {
		s.Add(name)
	}
	return s
}

// Has reports whether a name is in the set.
func (s NameSet) Has(name string) bool {
	_, ok := s[name]
	return ok
}

// Add puts a name into the set.
func (s *NameSet) Add(name string) {
	if *s == nil {
		*s = NameSet{}
	}
	(*s)[name] = struct{}{}
}

// MarshalJSON implements json.Marshaler.
func (s NameSet) MarshalJSON() ([]byte, error) { return json.Marshal(slices.Sorted(maps.Keys(s))) }

// UnmarshalJSON implements json.Unmarshaler.
func (s *NameSet) UnmarshalJSON(text []byte) error {
	var names []string
	if err := json.Unmarshal(text, &names); err != nil {
		return err
	}
	*s = Names(names...)
	return nil
}
