package machine

import "sluice.dev/queue/natsqueue/internal/bin"

// How many answers are kept for those who might ask again, and of how many
// bytes. A question is repeated every second at the latest, so that what is kept
// goes back further than any repetition does.
const (
	maxAnswers     = 1 << 14
	maxAnswerBytes = 16 << 20
)

// answers are what the latest calls got that change the queue and cannot be
// told from new ones by what they do. They are a part of the state: whoever
// leads next gives them again.
type answers struct {
	by    map[uint64][]byte
	order []uint64
	bytes int
}

// Answered is the answer that a call got before, so that one whose answer was
// lost may ask again and nothing happens twice. Only the latest are kept.
func (m *Machine) Answered(call uint64) ([]byte, bool) {
	text, ok := m.answers.by[call]
	return text, ok
}

// Answer keeps the answer of a call, together with what the call decided. The
// first one stands.
func (m *Machine) Answer(call uint64, text []byte) {
	m.decide(func(w *bin.Writer) { writeAnswer(w, call, text) })
}

func writeAnswer(w *bin.Writer, call uint64, text []byte) {
	w.Byte(factAnswer)
	w.Fixed(call)
	w.Bytes(text)
}

func (m *Machine) applyAnswer(r *bin.Reader) {
	call, text := r.Fixed(), r.Bytes()
	if r.Err() == nil {
		m.answers.keep(call, text)
	}
}

func (a *answers) keep(call uint64, text []byte) {
	if _, again := a.by[call]; again {
		return
	}
	a.by[call], a.order, a.bytes = text, append(a.order, call), a.bytes+len(text)
	for len(a.order) > maxAnswers || a.bytes > maxAnswerBytes && len(a.order) > 1 {
		a.bytes -= len(a.by[a.order[0]])
		delete(a.by, a.order[0])
		a.order = a.order[1:]
	}
}
