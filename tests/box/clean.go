package box

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
)

// Clean ends and removes what killed runs have left of this checkout's engines. Engines that are in use are left alone and
// named in busy.
func Clean(checkout string) (busy []string, err error) {
	entries, err := os.ReadDir(dataDir(checkout))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var errs []error
	for _, e := range entries {
		p, err := locate(checkout, e.Name())
		if err != nil {
			return busy, err
		}
		if _, err := os.Stat(filepath.Join(p.data, "lock")); err != nil {
			continue
		}
		lock, err := acquire(p)
		if err != nil {
			busy = append(busy, e.Name())
			continue
		}
		errs = append(errs, sweep(p), lock.Close())
	}
	return busy, errors.Join(errs...)
}
