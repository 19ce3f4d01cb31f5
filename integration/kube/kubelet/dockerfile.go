package kubelet

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// Dockerfile makes the image that a Dockerfile describes, without an engine, by
// doing what it says: its first stage's "go build" in the folder source, into
// the folder work, and its last stage's COPY, USER and ENTRYPOINT. What else it
// says there is an error, so that the image is never another one than the file's.
func Dockerfile(ctx context.Context, file, source, work, name string) (Image, error) {
	i := Image{Name: name, Files: map[string]string{}}
	text, err := os.ReadFile(file)
	if err != nil {
		return i, err
	}
	last, built := false, ""
	for n, line := range strings.Split(string(text), "\n") {
		verb, rest, _ := strings.Cut(strings.TrimSpace(line), " ")
		switch {
		case verb == "" || strings.HasPrefix(verb, "#"):
		case verb == "FROM":
			last = rest == "scratch"
		case last:
			err = instruct(&i, verb, rest, built, work)
		case verb == "RUN" && strings.Contains(rest, "go build"):
			built, err = goBuild(ctx, rest, source, work)
		case verb != "WORKDIR" && verb != "COPY" && verb != "RUN":
			err = fmt.Errorf("%s: FROM, WORKDIR, COPY and RUN are known", verb)
		}
		if err != nil {
			return i, fmt.Errorf("%s, line %d: %w", file, n+1, err)
		}
	}
	if !last {
		return i, fmt.Errorf("%s: its last stage is not FROM scratch", file)
	}
	return i, nil
}

// instruct does to an image what an instruction of the last stage says. built is
// the file that the first stage made; others that it has are this machine's.
func instruct(i *Image, verb, rest, built, work string) error {
	switch verb {
	case "COPY":
		words := strings.Fields(rest)
		if len(words) != 3 || words[0] != "--from=build" {
			return fmt.Errorf("COPY %s: --from=build FILE FILE is known", rest)
		}
		from, to := words[1], words[2]
		if strings.HasSuffix(to, "/") {
			to += filepath.Base(from)
		}
		if from == built {
			from = filepath.Join(work, built)
		}
		i.Files[to] = from
	case "USER":
		i.User = rest
	case "ENTRYPOINT":
		return json.Unmarshal([]byte(rest), &i.Entrypoint)
	default:
		return fmt.Errorf("%s: COPY, USER and ENTRYPOINT are known", verb)
	}
	return nil
}

// goBuild runs a line that has "-o FILE" in it, and returns FILE, which is then
// in the folder work.
func goBuild(ctx context.Context, line, source, work string) (string, error) {
	before, after, found := strings.Cut(line, " -o ")
	file, rest, _ := strings.Cut(after, " ")
	if !found || !filepath.IsAbs(file) {
		return "", fmt.Errorf("RUN %s: -o with an absolute path is missing", line)
	}
	cmd := exec.CommandContext(ctx, "sh", "-c", before+` -o "$0" `+rest, filepath.Join(work, file))
	cmd.Dir = source
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("RUN %s: %w\n%s", line, err, out)
	}
	return file, nil
}
