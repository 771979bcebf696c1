// tarlist FILE: names and sizes of a tar file's members, as Go's archive/tar reads them.
package main

import (
	"archive/tar"
	"fmt"
	"io"
	"log"
	"os"
)

func main() {
	file, err := os.Open(os.Args[1])
	if err != nil {
		log.Fatal(err)
	}
	for members := tar.NewReader(file); ; {
		member, err := members.Next()
		if err == io.EOF {
			return
		}
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println(member.Name, member.Size)
	}
}
