package workload

import (
	"fmt"

	"go.yaml.in/yaml/v3"
)

type pair struct{ key, value *yaml.Node }

// pairs are the keys and values of a mapping, and after its own those that
// "<<" merges into it. A key that is there twice is refused, and kept once.
// below is the path of a key.
func (d *decoder) pairs(n *yaml.Node, path string, below func(path, key string) string) []pair {
	var all, merged []pair
	first := make(map[string]*yaml.Node)
	for i := 0; i+1 < len(n.Content); i += 2 {
		key, value := n.Content[i], n.Content[i+1]
		switch {
		case key.ShortTag() == "!!merge":
			merged = append(merged, d.merged(value, path, below)...)
		case key.Kind != yaml.ScalarNode:
			d.refuseAt(d.at(key), path, "a name is needed, not "+describe(key))
		case first[key.Value] != nil:
			d.refuseAt(d.at(key), below(path, key.Value), fmt.Sprintf("duplicate: it is in line %d already", first[key.Value].Line))
		default:
			first[key.Value] = key
			all = append(all, pair{key, value})
		}
	}
	for _, p := range merged {
		if first[p.key.Value] == nil { // what is merged gives way
			first[p.key.Value] = p.key
			all = append(all, p)
		}
	}
	return all
}

// merged are the pairs of the mapping, or of the list of mappings, that "<<"
// has.
func (d *decoder) merged(n *yaml.Node, path string, below func(path, key string) string) []pair {
	if !d.enter(n, path) {
		return nil
	}
	defer d.leave(n)
	switch n.Kind {
	case yaml.AliasNode:
		return d.merged(n.Alias, path, below)
	case yaml.MappingNode:
		return d.pairs(n, path, below)
	case yaml.SequenceNode:
		var all []pair
		for _, e := range n.Content {
			all = append(all, d.merged(e, path, below)...)
		}
		return all
	}
	d.refuseAt(d.at(n), path, "<< merges objects, not "+describe(n))
	return nil
}

// enter counts a node before it is read, and refuses an alias that stands
// inside of what it stands for.
func (d *decoder) enter(n *yaml.Node, path string) bool {
	d.nodes += 1 + len(n.Content)/2
	if d.nodes > maxNodes {
		if !d.full {
			d.refuseAt(d.at(n), path, fmt.Sprintf("too large: a document may have %d values, counted again for each alias", maxNodes))
		}
		d.full = true
		return false
	}
	if n.Kind == yaml.AliasNode {
		if d.open[n.Alias] {
			d.refuseAt(d.at(n), path, fmt.Sprintf("*%s stands inside of what it stands for", n.Value))
			return false
		}
		d.open[n.Alias] = true
	}
	return true
}

func (d *decoder) leave(n *yaml.Node) {
	if n.Kind == yaml.AliasNode {
		delete(d.open, n.Alias)
	}
}
