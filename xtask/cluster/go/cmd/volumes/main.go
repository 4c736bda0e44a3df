// The volumes of the cluster: a CSI driver whose volume is a sparse file with an XFS file system
// on a loop device. Sizes are enforced (a full volume is full), and volumes grow while in use.
//
// One controller beside the API server makes, grows and deletes the files; one process on each
// node mounts them. All share the folder of the files.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"

	"k8s.io/klog/v2"
)

const driver = "volumes.sessionstore.dev"

// The folder of the files.
type store struct{ folder string }

func (s store) file(volume string) string {
	return filepath.Join(s.folder, filepath.Base(volume)+".img")
}

func run(name string, args ...string) (string, error) {
	output, err := exec.Command(name, args...).CombinedOutput()
	text := strings.TrimSpace(string(output))
	if err != nil {
		return text, fmt.Errorf("%s %s: %w: %s", name, strings.Join(args, " "), err, text)
	}
	return text, nil
}

func main() {
	klog.InitFlags(nil)
	folder := flag.String("folder", "", "where the files are")
	kubeconfig := flag.String("kubeconfig", "", "run the controller, which reaches the API server so")
	node := flag.String("node", "", "run on the node of this name")
	kubelet := flag.String("kubelet", "/var/lib/kubelet", "the folder of the node's kubelet")
	flag.Parse()

	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	var err error
	if *node != "" {
		err = runNode(ctx, store{*folder}, *node, *kubelet)
	} else {
		err = runController(ctx, store{*folder}, *kubeconfig)
	}
	if err != nil {
		klog.ErrorS(err, "the driver cannot run")
		os.Exit(1)
	}
}
