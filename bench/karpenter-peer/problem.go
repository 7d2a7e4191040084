// The problem as it comes in, as JSON.
package main

import (
	corev1 "k8s.io/api/core/v1"
	karpv1 "sigs.k8s.io/karpenter/pkg/apis/v1"
	"sigs.k8s.io/karpenter/pkg/cloudprovider"
	"sigs.k8s.io/karpenter/pkg/scheduling"
)

type problem struct {
	Pods            []corev1.Pod    `json:"pods"`
	DaemonPods      []corev1.Pod    `json:"daemonPods"`
	NodePool        karpv1.NodePool `json:"nodePool"`
	InstanceTypes   []typeJSON      `json:"instanceTypes"`
	WellKnownLabels []string        `json:"wellKnownLabels"`
	// Nodes and BoundPods, each with spec.nodeName, are the cluster to consolidate.
	Nodes     []nodeJSON   `json:"nodes"`
	BoundPods []corev1.Pod `json:"boundPods"`
}

type nodeJSON struct {
	Name         string `json:"name"`
	InstanceType string `json:"instanceType"`
	Zone         string `json:"zone"`
	CapacityType string `json:"capacityType"`
}

type typeJSON struct {
	Name         string              `json:"name"`
	Capacity     corev1.ResourceList `json:"capacity"`
	Overhead     corev1.ResourceList `json:"overhead"`
	Requirements []struct {
		Key      string                      `json:"key"`
		Operator corev1.NodeSelectorOperator `json:"operator"`
		Values   []string                    `json:"values"`
	} `json:"requirements"`
	Offerings []struct {
		Zone         string  `json:"zone"`
		CapacityType string  `json:"capacityType"`
		Price        float64 `json:"price"`
		Available    *bool   `json:"available"`
	} `json:"offerings"`
}

// instanceType translates one type; what follows from name and offerings is added to its requirements.
func (t *typeJSON) instanceType() *cloudprovider.InstanceType {
	zones, capacityTypes := map[string]bool{}, map[string]bool{}
	var offerings cloudprovider.Offerings
	for _, o := range t.Offerings {
		onSale := o.Available == nil || *o.Available
		if onSale {
			zones[o.Zone], capacityTypes[o.CapacityType] = true, true
		}
		offerings = append(offerings, &cloudprovider.Offering{
			Available: onSale,
			Price:     o.Price,
			Requirements: scheduling.NewRequirements(
				in(corev1.LabelTopologyZone, o.Zone),
				in(karpv1.CapacityTypeLabelKey, o.CapacityType),
				scheduling.NewRequirement(cloudprovider.ReservationIDLabel, corev1.NodeSelectorOpDoesNotExist),
			),
		})
	}
	requirements := scheduling.NewRequirements(
		in(corev1.LabelInstanceTypeStable, t.Name),
		in(corev1.LabelTopologyZone, keys(zones)...),
		in(karpv1.CapacityTypeLabelKey, keys(capacityTypes)...),
	)
	for _, r := range t.Requirements {
		requirements.Add(scheduling.NewRequirement(r.Key, r.Operator, r.Values...))
	}
	return &cloudprovider.InstanceType{
		Name: t.Name, Requirements: requirements, Offerings: offerings, Capacity: t.Capacity,
		Overhead: &cloudprovider.InstanceTypeOverhead{KubeReserved: t.Overhead},
	}
}

func in(key string, values ...string) *scheduling.Requirement {
	return scheduling.NewRequirement(key, corev1.NodeSelectorOpIn, values...)
}

func keys(set map[string]bool) []string {
	var out []string
	for key := range set {
		out = append(out, key)
	}
	return out
}
