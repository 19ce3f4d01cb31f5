package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"sluice.dev/manifests/expand"
	"sluice.dev/manifests/workload"
	"sluice.dev/producer"
)

// maxCopies is more than a cluster should be given at once.
const maxCopies = 10_000

func expandCommand() *cobra.Command {
	var (
		file string
		axes []producer.Axis
	)
	cmd := &cobra.Command{
		Use:   "expand -f FILE --arg NAME=VALUE,...",
		Short: "Print many manifests made of one template",
		Long: `Print the manifests that a template makes with every combination of values.

In the template {NAME} stands for a value, and so do $NAME and ${NAME} with the
name in upper case, as in "Parallel Processing using Expansions" of Kubernetes'
documentation. A value is text: it cannot change the structure of the YAML. What
comes out is checked as by 'sluice validate', and nothing is printed unless all
of it is sound: two manifests of one name are a fault.

Many Jobs are many objects for the cluster to keep, without an order, a retry of
what failed, or a bound on how many run at once. The same values as items of one
queue have all of that:

  sluice enqueue QUEUE --arg NAME=VALUE,...

Exit code: 0 printed, 2 something is wrong.`,
		Example: `  sluice expand -f job-tmpl.yaml --arg item=apple,banana,cherry | kubectl apply -f -
  sluice expand -f job-tmpl.yaml --arg quality=18,23,28 --arg preset=fast,slow > jobs.yaml`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			switch {
			case file == "":
				return usagef("no template: say -f FILE; - is standard input")
			case len(axes) == 0:
				return usagef("no values: say --arg NAME=VALUE,...")
			}
			return expandTemplate(cmd, file, axes)
		},
	}
	cmd.Flags().StringVarP(&file, "filename", "f", "", "`FILE` with the template; - is standard input")
	cmd.Flags().Var(axesValue{&axes}, "arg", "`NAME=VALUE,...` that {NAME} takes; given more than once, all combinations are made")
	return cmd
}

func expandTemplate(cmd *cobra.Command, file string, axes []producer.Axis) error {
	text, err := templateText(cmd.InOrStdin(), file)
	if err != nil {
		return fileError("-f", err)
	}
	t, err := expand.Parse(text)
	if err != nil {
		return usagef("%s: %w", file, err)
	}
	names := make([]string, len(axes))
	for i, a := range axes {
		names[i] = a.Name
	}
	if unused := t.Unused(names); len(unused) > 0 {
		return usagef("--arg %s: %s has neither {%s} nor $%s", unused[0], file, unused[0], strings.ToUpper(unused[0]))
	}
	var (
		out    bytes.Buffer
		copies []string // what each was made with
		ends   []int    // its last line in out
	)
	for record, err := range producer.Sweep(axes...) {
		if err != nil {
			return plainly("--arg", "sweep: ", err)
		}
		if len(copies) == maxCopies {
			return usagef("--arg: more than %d combinations: as items of a queue there is no such limit; see 'sluice enqueue --help'", maxCopies)
		}
		var values []expand.Value
		var said []string
		for _, name := range names {
			v := record.Fields[name]
			values = append(values, expand.Value{Name: name, Value: v})
			said = append(said, name+"="+v)
		}
		one, err := t.Copy(values)
		if err != nil {
			return err
		}
		out.Write(one)
		copies = append(copies, strings.Join(said, " "))
		ends = append(ends, bytes.Count(out.Bytes(), []byte("\n")))
	}
	if _, errs := workload.Load(bytes.NewReader(out.Bytes()), "-"); len(errs) > 0 {
		for _, e := range errs {
			i := 0
			for i < len(ends)-1 && e.Line > ends[i] {
				i++
			}
			e.File = fmt.Sprintf("%s with %s", file, copies[i])
			if i > 0 {
				e.Line -= ends[i-1]
			}
			e.Line-- // the separator is not the template's
			fmt.Fprintln(cmd.ErrOrStderr(), e)
		}
		return &exitError{code: exitUsage}
	}
	_, err = out.WriteTo(cmd.OutOrStdout())
	return err
}

// templateText is what a file says, up to what a cluster takes.
func templateText(stdin io.Reader, file string) ([]byte, error) {
	if file == "-" {
		return io.ReadAll(stdin)
	}
	text, err := os.ReadFile(file)
	if err == nil && len(text) > 1<<20 {
		err = errors.New("larger than 1 MiB")
	}
	return text, err
}
