package main

import (
	"context"
	"encoding/json"
	"os"
	"time"

	v1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/cache"
	"k8s.io/client-go/util/workqueue"
	"k8s.io/klog/v2"
)

// runResizer does the part of csi-resizer that this driver needs: it makes the file as large as
// the claim asks for, says so in the volume, and leaves the file system to the kubelet. The
// original is of another Kubernetes release and would compile the whole client a second time.
func runResizer(ctx context.Context, files store, client kubernetes.Interface) {
	factory := informers.NewSharedInformerFactory(client, 0)
	claims := factory.Core().V1().PersistentVolumeClaims()
	queue := workqueue.NewTypedRateLimitingQueue(
		workqueue.NewTypedItemExponentialFailureRateLimiter[cache.ObjectName](100*time.Millisecond, 10*time.Second))
	enqueue := func(object any) {
		if claim, ok := object.(*v1.PersistentVolumeClaim); ok {
			queue.Add(cache.MetaObjectToName(claim))
		}
	}
	claims.Informer().AddEventHandler(cache.ResourceEventHandlerFuncs{
		AddFunc:    enqueue,
		UpdateFunc: func(_, object any) { enqueue(object) },
	})
	factory.Start(ctx.Done())
	factory.WaitForCacheSync(ctx.Done())
	go func() { <-ctx.Done(); queue.ShutDown() }()
	for {
		name, shutdown := queue.Get()
		if shutdown {
			return
		}
		claim, err := claims.Lister().PersistentVolumeClaims(name.Namespace).Get(name.Name)
		if err == nil {
			err = resize(ctx, files, client, claim)
			if err != nil {
				klog.ErrorS(err, "cannot resize", "claim", name)
				queue.AddRateLimited(name)
			} else {
				queue.Forget(name)
			}
		}
		queue.Done(name)
	}
}

func resize(ctx context.Context, files store, client kubernetes.Interface, claim *v1.PersistentVolumeClaim) error {
	wanted := claim.Spec.Resources.Requests[v1.ResourceStorage]
	present := claim.Status.Capacity[v1.ResourceStorage]
	if claim.Status.Phase != v1.ClaimBound || wanted.Cmp(present) <= 0 {
		return nil
	}
	volume, err := client.CoreV1().PersistentVolumes().Get(ctx, claim.Spec.VolumeName, metav1.GetOptions{})
	if err != nil {
		return err
	}
	if volume.Spec.CSI == nil || volume.Spec.CSI.Driver != driver {
		return nil
	}
	file := files.file(volume.Spec.CSI.VolumeHandle)
	info, err := os.Stat(file)
	if err != nil {
		return err
	}
	if info.Size() < wanted.Value() {
		if err := os.Truncate(file, wanted.Value()); err != nil {
			return err
		}
	}
	capacity := volume.Spec.Capacity[v1.ResourceStorage]
	if capacity.Cmp(wanted) < 0 {
		err := patch(map[string]any{"spec": map[string]any{
			"capacity": v1.ResourceList{v1.ResourceStorage: wanted},
		}}, func(patch []byte) error {
			_, err := client.CoreV1().PersistentVolumes().Patch(
				ctx, volume.Name, types.MergePatchType, patch, metav1.PatchOptions{})
			return err
		})
		if err != nil {
			return err
		}
	}
	if claim.Status.AllocatedResourceStatuses[v1.ResourceStorage] != "" {
		allocated := claim.Status.AllocatedResources[v1.ResourceStorage]
		if allocated.Cmp(wanted) == 0 {
			return nil // the kubelet is at it
		}
	}
	// By these fields the kubelet knows that it is its turn.
	return patch(map[string]any{"status": map[string]any{
		"allocatedResources": v1.ResourceList{v1.ResourceStorage: wanted},
		"allocatedResourceStatuses": map[v1.ResourceName]v1.ClaimResourceStatus{
			v1.ResourceStorage: v1.PersistentVolumeClaimNodeResizePending,
		},
		"conditions": []v1.PersistentVolumeClaimCondition{{
			Type: v1.PersistentVolumeClaimFileSystemResizePending, Status: v1.ConditionTrue,
			LastTransitionTime: metav1.Now(),
			Message:            "Waiting for user to (re-)start a pod to finish file system resize of volume on node.",
		}},
	}}, func(patch []byte) error {
		_, err := client.CoreV1().PersistentVolumeClaims(claim.Namespace).Patch(
			ctx, claim.Name, types.MergePatchType, patch, metav1.PatchOptions{}, "status")
		return err
	})
}

func patch(content map[string]any, send func([]byte) error) error {
	text, err := json.Marshal(content)
	if err != nil {
		return err
	}
	return send(text)
}
