// Packs a folder as one version of a Go module, in the layout that GOPROXY reads: pack-module FOLDER VERSION TO.
// The module's path is that of the folder's go.mod.
package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/mod/modfile"
	"golang.org/x/mod/module"
	"golang.org/x/mod/zip"
)

func main() {
	if len(os.Args) != 4 {
		fmt.Fprintln(os.Stderr, "pack-module FOLDER VERSION TO")
		os.Exit(2)
	}
	if err := pack(os.Args[1], os.Args[2], os.Args[3]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func pack(folder, version, to string) error {
	mod, err := os.ReadFile(filepath.Join(folder, "go.mod"))
	if err != nil {
		return err
	}
	of := module.Version{Path: modfile.ModulePath(mod), Version: version}
	escaped, err := module.EscapePath(of.Path)
	if err != nil {
		return err
	}
	into := filepath.Join(to, filepath.FromSlash(escaped), "@v")
	if err := os.MkdirAll(into, 0o755); err != nil {
		return err
	}
	// Without a time of its own, so that the same sources give the same file.
	info, err := json.Marshal(struct {
		Version string
		Time    time.Time
	}{version, time.Unix(0, 0).UTC()})
	if err != nil {
		return err
	}
	files := map[string][]byte{"list": []byte(version + "\n"), version + ".info": info, version + ".mod": mod}
	for name, content := range files {
		if err := os.WriteFile(filepath.Join(into, name), content, 0o644); err != nil {
			return err
		}
	}
	archive, err := os.Create(filepath.Join(into, version+".zip"))
	if err != nil {
		return err
	}
	if err := zip.CreateFromDir(archive, of, folder); err != nil {
		return err
	}
	return archive.Close()
}
