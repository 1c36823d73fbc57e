package main

import (
	"slices"
	"strings"

	"github.com/urfave/cli/v2"
)

// flagsFirst moves a command's flags before its other arguments, because cli
// stops reading flags at the first word that is none: without it the flag of
// `graft eval RUN --split train` would be taken for a second run. What follows
// "--" stays as it is.
func flagsFirst(list []*cli.Command, args []string) []string {
	leaf, at := leafOf(list, args)
	if leaf == nil || slices.Contains(args, completing) {
		return args
	}
	return append(slices.Clone(args[:at]), sortArguments(leaf, args[at:])...)
}

// completing is the word with which shells ask what may come next.
const completing = "--generate-bash-completion"

// leafOf is the command that the arguments name, if it is one that does something, and where its own arguments begin.
func leafOf(list []*cli.Command, args []string) (leaf *cli.Command, at int) {
	at = min(1, len(args))
	for at < len(args) && len(list) > 0 {
		found := slices.IndexFunc(list, func(c *cli.Command) bool { return c.HasName(args[at]) })
		if found < 0 {
			break
		}
		leaf, list = list[found], list[found].Subcommands
		at++
	}
	if len(list) > 0 {
		return nil, at
	}
	return leaf, at
}

// sortArguments puts flags with their values first and everything else after
// them, both in their order.
func sortArguments(c *cli.Command, args []string) []string {
	var flags, rest []string
	for i := 0; i < len(args); i++ {
		word := args[i]
		if word == "--" {
			rest = append(rest, args[i+1:]...)
			break
		}
		if len(word) < 2 || word[0] != '-' {
			rest = append(rest, word)
			continue
		}
		flags = append(flags, word)
		if !takesValue(c, word) {
			continue
		}
		if i++; i == len(args) {
			return flags // cli complains; an argument put here would become the flag's value
		}
		flags = append(flags, args[i])
	}
	if slices.ContainsFunc(rest, func(s string) bool { return strings.HasPrefix(s, "-") && s != "-" }) {
		flags = append(flags, "--")
	}
	return append(flags, rest...)
}

// takesValue tells whether the next word belongs to a flag. An unknown flag has
// none; cli names it in its complaint.
func takesValue(c *cli.Command, word string) bool {
	name := strings.TrimLeft(word, "-")
	if strings.Contains(name, "=") {
		return false
	}
	for _, f := range c.Flags {
		if slices.Contains(f.Names(), name) {
			_, isBool := f.(*cli.BoolFlag)
			return !isBool
		}
	}
	return false
}
