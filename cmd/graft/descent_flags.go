package main

import (
	"fmt"
	"reflect"
	"strings"

	"github.com/urfave/cli/v2"

	"graft/finetune/fit"
	"graft/finetune/train"
)

// recipes is what help shows for the default of what a recipe decides.
const recipes = "the recipe's"

// descentFlags are the settings of gradient descent; what is not given is the
// recipe's.
func descentFlags() []cli.Flag {
	return append(optionFlags(fit.Config{}), grouped(descentHeading,
		&cli.Float64Flag{Name: "holdout", Usage: "`SHARE` of train to hold out and watch instead of a split of its own"})...)
}

func threadsFlag() cli.Flag {
	return &cli.IntFlag{Name: "threads", Usage: "CPU `THREADS` (0: all cores); the same number gives the same bits"}
}

// setDescent puts the flags that were given over a recipe's settings.
func setDescent(c *cli.Context, d *train.Descent) (err error) {
	d.Fit, err = withOptions(c, d.Fit)
	d.Fit.Threads, d.Fit.Seed, d.Holdout = c.Int("threads"), c.Uint64("seed"), c.Float64("holdout")
	return err
}

// optionFlags make a flag of every field of a struct of options that says how it
// is used; a <WORD> there stands for the value.
func optionFlags(options any) []cli.Flag {
	var out []cli.Flag
	for _, f := range reflect.VisibleFields(reflect.TypeOf(options)) {
		usage, ok := f.Tag.Lookup("usage")
		if !ok {
			continue
		}
		name, usage := flagName(f), strings.NewReplacer("<", "`", ">", "`").Replace(usage)
		switch reflect.Zero(f.Type).Interface().(type) {
		case int:
			out = append(out, &cli.IntFlag{Name: name, DefaultText: recipes, Usage: usage})
		case float64:
			out = append(out, &cli.Float64Flag{Name: name, DefaultText: recipes, Usage: usage})
		case bool:
			out = append(out, &cli.BoolFlag{Name: name, DefaultText: recipes, Usage: usage})
		case []int:
			out = append(out, &cli.IntSliceFlag{Name: name, DefaultText: recipes, Usage: usage})
		case string:
			out = append(out, &cli.StringFlag{Name: name, DefaultText: recipes, Usage: usage})
		}
	}
	if _, ok := options.(fit.Config); ok {
		return grouped(descentHeading, out...)
	}
	return grouped(networkHeading, out...)
}

// flagName is an option's word on the command line: that in JSON, with - for _.
func flagName(f reflect.StructField) string {
	if name, ok := f.Tag.Lookup("flag"); ok {
		return name
	}
	name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
	return strings.ReplaceAll(name, "_", "-")
}

// withOptions is a struct of options, which T may be an interface to, with the
// flags that were given.
func withOptions[T any](c *cli.Context, options T) (T, error) {
	out := reflect.New(reflect.TypeOf(options)).Elem()
	out.Set(reflect.ValueOf(options))
	for _, f := range reflect.VisibleFields(out.Type()) {
		name := flagName(f)
		if _, ok := f.Tag.Lookup("usage"); !ok || !c.IsSet(name) {
			continue
		}
		value := c.Value(name)
		if _, ok := value.(cli.IntSlice); ok {
			list := c.IntSlice(name)
			value = list
			if f.Type.Kind() == reflect.Int { // import's --stem is of a cnn and of a vit
				if len(list) != 1 {
					return options, fmt.Errorf("--%s %v, want one number", name, list)
				}
				value = list[0]
			}
		}
		out.FieldByIndex(f.Index).Set(reflect.ValueOf(value))
	}
	return out.Interface().(T), nil
}
