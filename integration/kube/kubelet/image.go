package kubelet

import (
	"archive/tar"
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"os"
	"path"
	"runtime"
	"slices"
	"strings"
)

// registry is what a name without a registry means to containerd.
const registry = "docker.io/library/"

// Image is one that holds a few files of this machine and nothing else, as one
// built "FROM scratch" does.
type Image struct {
	Name       string            // with its tag, such as film:1
	Files      map[string]string // from the path in the image to that on this machine
	Entrypoint []string          // empty: pods say a command
	User       string            // a number or two, such as 65532:65532; "": root
}

// write writes the image as the archive that "docker save" makes.
func (i Image) write(w io.Writer) error {
	layer, err := i.layer()
	if err != nil {
		return fmt.Errorf("image %s: %w", i.Name, err)
	}
	config, err := json.Marshal(map[string]any{
		"architecture": runtime.GOARCH, "os": "linux",
		"config": map[string]any{"Entrypoint": i.Entrypoint, "User": i.User, "WorkingDir": "/"},
		"rootfs": map[string]any{"type": "layers", "diff_ids": []string{fmt.Sprintf("sha256:%x", sha256.Sum256(layer))}},
	})
	if err != nil {
		return fmt.Errorf("image %s: %w", i.Name, err)
	}
	const configName, layerName = "config.json", "layer.tar"
	manifest, err := json.Marshal([]any{map[string]any{
		"Config": configName, "RepoTags": []string{registry + i.Name}, "Layers": []string{layerName},
	}})
	if err != nil {
		return fmt.Errorf("image %s: %w", i.Name, err)
	}
	a := tar.NewWriter(w)
	for _, f := range []struct {
		name    string
		content []byte
	}{{configName, config}, {layerName, layer}, {"manifest.json", manifest}} {
		if err := add(a, f.name, 0o644, f.content); err != nil {
			return fmt.Errorf("image %s: %w", i.Name, err)
		}
	}
	return a.Close()
}

// layer is an archive of the files, and the folders that lead to them.
func (i Image) layer() ([]byte, error) {
	var b bytes.Buffer
	a := tar.NewWriter(&b)
	made := make(map[string]bool)
	for _, name := range slices.Sorted(maps.Keys(i.Files)) {
		at := strings.TrimPrefix(path.Clean(name), "/")
		for n := range at {
			if dir := at[:n]; at[n] == '/' && !made[dir] {
				made[dir] = true
				if err := a.WriteHeader(&tar.Header{Typeflag: tar.TypeDir, Name: dir + "/", Mode: 0o755}); err != nil {
					return nil, err
				}
			}
		}
		info, err := os.Stat(i.Files[name])
		if err != nil {
			return nil, err
		}
		content, err := os.ReadFile(i.Files[name])
		if err != nil {
			return nil, err
		}
		if err := add(a, at, info.Mode().Perm(), content); err != nil {
			return nil, err
		}
	}
	return b.Bytes(), a.Close()
}

func add(a *tar.Writer, name string, mode os.FileMode, content []byte) error {
	if err := a.WriteHeader(&tar.Header{Typeflag: tar.TypeReg, Name: name, Mode: int64(mode), Size: int64(len(content))}); err != nil {
		return err
	}
	_, err := a.Write(content)
	return err
}
