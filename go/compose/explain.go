package compose

import (
	"errors"
	"io/fs"
	"regexp"
	"strings"

	"github.com/compose-spec/compose-go/v2/template"
	"github.com/compose-spec/compose-go/v2/tree"
)

// Where compose-go's messages say where. It has no types for most of its errors, so the place is cut out of the text for
// display; what does not match stays in the sentence as it is.
var (
	inFile     = regexp.MustCompile(`^(?:validating|failed to parse|failed to read) (\S.*?): `)
	inPath     = regexp.MustCompile(`^(?:error while interpolating |invalid interpolation format for )?((?:version|name|services|jobs|networks|volumes|secrets|configs|models|include)(?:\.[^\s:]+)?):? `)
	inDecoded  = regexp.MustCompile(`^decoding failed due to the following error\(s\): '(\w+)\[([^\]]+)\]\.?(\S*)' `)
	inService  = regexp.MustCompile(`^(?:cannot extend )?service "([^"]+)" (?:in \S+: )?`)
	inBare     = regexp.MustCompile(`^service (\S+) declares`)
	unknownKey = regexp.MustCompile(`^\s*additional properties '([^']+)'(?:, '[^']+')* not allowed$`)
	twoNames   = regexp.MustCompile(`^services\.(?:scale|deploy\.replicas): (can't set container_name and) (\S+) `)
)

// plainer takes out of the texts what only programmers read.
var plainer = strings.NewReplacer(": invalid compose project", "", "failed to cast to expected type: ", "",
	"strconv.Atoi: parsing ", "it is no number: ", "strconv.ParseInt: parsing ", "it is no number: ",
	"strconv.ParseFloat: parsing ", "it is no number: ", "must be a array", "must be a list", "construct errors: ", "")

// explain makes one sentence with a place and a way out of an error of compose-go.
func explain(src Source, err error) *Error {
	more := ""
	if joined, ok := err.(interface{ Unwrap() []error }); ok && len(joined.Unwrap()) > 0 {
		if len(joined.Unwrap()) > 1 {
			more = " (and it is not the only one)"
		}
		err = joined.Unwrap()[0]
		if _, nested := err.(interface{ Unwrap() []error }); nested {
			return explain(src, err)
		}
	}
	text := plainer.Replace(oneLine(src.shorten(err.Error())))
	e := &Error{Fix: "correct it"}
	if m := inFile.FindStringSubmatch(text); m != nil {
		e.File, text = m[1], text[len(m[0]):]
	}
	path := tree.Path("")
	if m := inDecoded.FindStringSubmatch(text); m != nil {
		path, text = tree.NewPath(m[1], m[2]), text[len(m[0]):]
		if m[3] != "" {
			path = tree.Path(string(path) + "." + m[3])
		}
	} else if m := twoNames.FindStringSubmatch(text); m != nil { // compose-go mixes up service and key here
		path, text = tree.NewPath("services", m[2], "container_name"), strings.Replace(text, m[0], m[1]+" several containers ", 1)
		text = text[strings.Index(text, "can't"):]
	} else if m := inPath.FindStringSubmatch(text); m != nil {
		path, text = tree.Path(strings.TrimSuffix(m[1], ".")), text[len(m[0]):]
	} else if m := inService.FindStringSubmatch(text); m != nil {
		path, text = tree.NewPath("services", m[1]), text[len(m[0]):]
	} else if m := inBare.FindStringSubmatch(text); m != nil {
		path = tree.NewPath("services", m[1])
	}
	e.Service, e.Key = place(path)
	e.Problem = text + more

	var invalid *template.InvalidTemplateError
	var required *template.MissingRequiredError
	switch {
	case errors.As(err, &invalid):
		e.Problem, e.Fix = "has a variable that is not written right: "+invalid.Template+more, "write ${NAME}, or $$ for a dollar sign"
	case errors.As(err, &required):
		e.Problem = "wants the variable " + required.Variable + ", which has no value"
		if required.Reason != "" {
			e.Problem += " (" + required.Reason + ")"
		}
		e.Problem, e.Fix = e.Problem+more, "set it in .env or in the task's environment"
	case errors.Is(err, errHome):
		e.Fix = "write a path relative to the sandbox"
	case strings.Contains(text, "cycle detected"), strings.HasPrefix(text, "Circular reference"):
		e.Fix = "break the cycle"
	case errors.Is(err, fs.ErrNotExist):
		e.Problem, e.Fix = "the file "+missing(src, err)+" does not exist", "fetch it into the sandbox, or correct its path"
	case strings.HasPrefix(text, "yaml: "):
		e.Problem, e.Fix = "is not valid YAML: "+strings.TrimPrefix(text, "yaml: ")+more, "correct the line"
	case strings.HasSuffix(text, "false schema"):
		unknown(e, path)
	default:
		if m := unknownKey.FindStringSubmatch(text); m != nil {
			unknown(e, path.Next(m[1]))
		}
	}
	return e
}

// place splits a path into the service and the key in it.
func place(path tree.Path) (service, key string) {
	parts := path.Parts()
	if len(parts) < 2 || parts[0] != "services" {
		return "", path.String()
	}
	return tree.Path(parts[1]).String(), tree.NewPath(parts[2:]...).String()
}

func unknown(e *Error, path tree.Path) {
	e.Service, e.Key = place(path)
	if e.Key == "" { // a service's own name
		e.Service, e.Key = "", path.String()
	}
	e.Problem, e.Fix = "is not known to the compose file format", "remove it, or prefix it with x-"
	if key := nearestKey(path); key != "" {
		e.Fix = "did you mean " + key + "?"
	}
}

func missing(src Source, err error) string {
	var file *fs.PathError
	if errors.As(err, &file) {
		return relative(src.Dir, file.Path)
	}
	return "it names"
}

// fileOf puts the files into an *Error of ours.
func fileOf(err error, dir string, files []string) error {
	var e *Error
	if errors.As(err, &e) {
		return e.in(dir, files)
	}
	return err
}
