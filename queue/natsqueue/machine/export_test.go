package machine

// SetLimit sets another bound than MaxPayloadBytes.
func (m *Machine) SetLimit(bytes int64) { m.limit = bytes }
