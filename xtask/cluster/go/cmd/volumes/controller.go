package main

import (
	"context"
	"errors"
	"io/fs"
	"os"

	v1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/clientcmd"
	"sigs.k8s.io/sig-storage-lib-external-provisioner/v11/controller"
)

// mkfs.xfs makes nothing smaller.
var smallest = resource.MustParse("300Mi")

func runController(ctx context.Context, files store, kubeconfig string) error {
	config, err := clientcmd.BuildConfigFromFlags("", kubeconfig)
	if err != nil {
		return err
	}
	// The default of 5 requests a second is for a controller that shares a big API server.
	config.QPS, config.Burst = 50, 100
	client, err := kubernetes.NewForConfig(config)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(files.folder, 0o750); err != nil {
		return err
	}
	go runResizer(ctx, files, client)
	controller.NewProvisionController(ctx, client, driver, provisioner{files},
		controller.LeaderElection(false), controller.Threadiness(4)).Run(ctx)
	return nil
}

type provisioner struct{ files store }

func (p provisioner) Provision(
	_ context.Context, options controller.ProvisionOptions,
) (*v1.PersistentVolume, controller.ProvisioningState, error) {
	size := options.PVC.Spec.Resources.Requests[v1.ResourceStorage]
	if size.Cmp(smallest) < 0 {
		size = smallest
	}
	if err := makeFile(p.files.file(options.PVName), size.Value()); err != nil {
		return nil, controller.ProvisioningFinished, err
	}
	volume := &v1.PersistentVolume{
		ObjectMeta: metav1.ObjectMeta{Name: options.PVName},
		Spec: v1.PersistentVolumeSpec{
			PersistentVolumeReclaimPolicy: *options.StorageClass.ReclaimPolicy,
			AccessModes:                   options.PVC.Spec.AccessModes,
			VolumeMode:                    options.PVC.Spec.VolumeMode,
			Capacity:                      v1.ResourceList{v1.ResourceStorage: size},
			PersistentVolumeSource: v1.PersistentVolumeSource{CSI: &v1.CSIPersistentVolumeSource{
				Driver: driver, VolumeHandle: options.PVName, FSType: "xfs",
			}},
		},
	}
	// Like a disk in the node that the scheduler chose: it stays there.
	if options.StorageClass.Parameters["pinned"] == "true" && options.SelectedNode != nil {
		host := options.SelectedNode.Labels[v1.LabelHostname]
		volume.Spec.NodeAffinity = &v1.VolumeNodeAffinity{Required: &v1.NodeSelector{
			NodeSelectorTerms: []v1.NodeSelectorTerm{{MatchExpressions: []v1.NodeSelectorRequirement{{
				Key: v1.LabelHostname, Operator: v1.NodeSelectorOpIn, Values: []string{host},
			}}}},
		}}
	}
	return volume, controller.ProvisioningFinished, nil
}

func (p provisioner) Delete(_ context.Context, volume *v1.PersistentVolume) error {
	err := os.Remove(p.files.file(volume.Spec.CSI.VolumeHandle))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

// makeFile leaves either a whole file system or nothing under its name.
func makeFile(path string, size int64) error {
	if _, err := os.Stat(path); err == nil {
		return nil
	}
	unfinished := path + ".unfinished"
	if err := os.WriteFile(unfinished, nil, 0o600); err != nil {
		return err
	}
	if err := os.Truncate(unfinished, size); err != nil {
		return err
	}
	if _, err := run("mkfs.xfs", "-q", "-f", "-K", unfinished); err != nil {
		return err
	}
	return os.Rename(unfinished, path)
}
