package main

import (
	"context"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"

	"github.com/container-storage-interface/spec/lib/go/csi"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// The node half of CSI. One call at a time: between looking for a loop device and taking it
// another could take it.
type nodeServer struct {
	csi.UnimplementedNodeServer
	files store
	name  string
	turn  sync.Mutex
}

func (n *nodeServer) NodeGetInfo(
	context.Context, *csi.NodeGetInfoRequest,
) (*csi.NodeGetInfoResponse, error) {
	return &csi.NodeGetInfoResponse{NodeId: n.name}, nil
}

func (n *nodeServer) NodeGetCapabilities(
	context.Context, *csi.NodeGetCapabilitiesRequest,
) (*csi.NodeGetCapabilitiesResponse, error) {
	var capabilities []*csi.NodeServiceCapability
	for _, kind := range []csi.NodeServiceCapability_RPC_Type{
		csi.NodeServiceCapability_RPC_EXPAND_VOLUME,
		csi.NodeServiceCapability_RPC_GET_VOLUME_STATS,
	} {
		rpc := &csi.NodeServiceCapability_Rpc{Rpc: &csi.NodeServiceCapability_RPC{Type: kind}}
		capabilities = append(capabilities, &csi.NodeServiceCapability{Type: rpc})
	}
	return &csi.NodeGetCapabilitiesResponse{Capabilities: capabilities}, nil
}

func (n *nodeServer) NodePublishVolume(
	_ context.Context, request *csi.NodePublishVolumeRequest,
) (*csi.NodePublishVolumeResponse, error) {
	n.turn.Lock()
	defer n.turn.Unlock()
	if !isMounted(request.TargetPath) {
		if err := n.mount(request.VolumeId, request.TargetPath, request.Readonly); err != nil {
			return nil, status.Error(codes.Internal, err.Error())
		}
	}
	return &csi.NodePublishVolumeResponse{}, nil
}

func (n *nodeServer) mount(volume, target string, readonly bool) error {
	if err := os.MkdirAll(target, 0o750); err != nil {
		return err
	}
	device, err := attach(n.files.file(volume))
	if err != nil {
		return err
	}
	options := "noatime,nouuid"
	if readonly {
		options = "ro,nouuid"
	}
	_, err = run("mount", "-t", "xfs", "-o", options, device, target)
	// From now on the device goes with its last mount, of which there is none if that failed.
	if _, detached := run("losetup", "--detach", device); err == nil {
		err = detached
	}
	return err
}

// attach returns the loop device of a file: two pods on one volume must share it, or each would
// have a file system of its own on the same blocks.
func attach(file string) (string, error) {
	attached, err := run("losetup", "--noheadings", "--output", "NAME", "--associated", file)
	if device, _, _ := strings.Cut(attached, "\n"); err == nil && device != "" {
		return strings.TrimSpace(device), nil
	}
	return run("losetup", "--find", "--show", file)
}

func isMounted(path string) bool {
	return exec.Command("mountpoint", "-q", path).Run() == nil
}

func (n *nodeServer) NodeUnpublishVolume(
	_ context.Context, request *csi.NodeUnpublishVolumeRequest,
) (*csi.NodeUnpublishVolumeResponse, error) {
	n.turn.Lock()
	defer n.turn.Unlock()
	if isMounted(request.TargetPath) {
		if _, err := run("umount", request.TargetPath); err != nil {
			return nil, status.Error(codes.Internal, err.Error())
		}
	}
	if err := os.Remove(request.TargetPath); err != nil && !os.IsNotExist(err) {
		return nil, status.Error(codes.Internal, err.Error())
	}
	return &csi.NodeUnpublishVolumeResponse{}, nil
}

// XFS and not ext4: growing a mounted ext4 needs CAP_SYS_RESOURCE, which root in a container or
// a small virtual machine may lack.
func (n *nodeServer) NodeExpandVolume(
	_ context.Context, request *csi.NodeExpandVolumeRequest,
) (*csi.NodeExpandVolumeResponse, error) {
	n.turn.Lock()
	defer n.turn.Unlock()
	device, err := run("findmnt", "--noheadings", "--output", "SOURCE", "--mountpoint", request.VolumePath)
	if err != nil {
		return nil, status.Error(codes.NotFound, err.Error())
	}
	if _, err := run("losetup", "--set-capacity", device); err != nil {
		return nil, status.Error(codes.Internal, err.Error())
	}
	if _, err := run("xfs_growfs", request.VolumePath); err != nil {
		return nil, status.Error(codes.Internal, err.Error())
	}
	info, err := os.Stat(n.files.file(request.VolumeId))
	if err != nil {
		return nil, status.Error(codes.Internal, err.Error())
	}
	return &csi.NodeExpandVolumeResponse{CapacityBytes: info.Size()}, nil
}

func (n *nodeServer) NodeGetVolumeStats(
	_ context.Context, request *csi.NodeGetVolumeStatsRequest,
) (*csi.NodeGetVolumeStatsResponse, error) {
	var stat syscall.Statfs_t
	if err := syscall.Statfs(request.VolumePath, &stat); err != nil {
		return nil, status.Error(codes.NotFound, err.Error())
	}
	block := int64(stat.Bsize)
	return &csi.NodeGetVolumeStatsResponse{Usage: []*csi.VolumeUsage{
		{
			Unit:      csi.VolumeUsage_BYTES,
			Total:     int64(stat.Blocks) * block,
			Available: int64(stat.Bavail) * block,
			Used:      int64(stat.Blocks-stat.Bfree) * block,
		},
		{
			Unit:      csi.VolumeUsage_INODES,
			Total:     int64(stat.Files),
			Available: int64(stat.Ffree),
			Used:      int64(stat.Files - stat.Ffree),
		},
	}}, nil
}
