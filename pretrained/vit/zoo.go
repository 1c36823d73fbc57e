package vit

import (
	"fmt"
	"strings"

	"graft/models"
	"graft/preprocess"
)

// describe settles the preprocessing, which tensors do not show: that of the
// zoo's entry called o.Name, else of the entry whose hash the file has, else
// the family's usual one. Notes says which, and what else was assumed.
func (m *Model) describe(fam *family, b beside, o loadOptions) error {
	m.Notes = append(m.Notes, b.notes...)
	if o.Name == "" {
		for _, e := range models.List() {
			if e.SHA256 != "" && strings.HasPrefix(m.SHA256, e.SHA256) && m.fits(e) == nil {
				m.applyEntry(e, o, "by its hash")
				return nil
			}
		}
		if b.badActivation != nil && o.Activation == "" && !m.Config.Gated {
			return b.badActivation
		}
		if b.badWants != nil && !o.Normalized {
			return fmt.Errorf("%w; --normalize states mean and std", b.badWants)
		}
		m.assume(fam.assume(m.Config), b, o)
		if o.Heads == 0 && b.heads == 0 && !m.Config.QKNorm {
			m.Notes = append(m.Notes, fmt.Sprintf("%d attention heads assumed from the width %d; --heads changes that", m.Config.Heads, m.Config.Width))
		}
		return nil
	}
	e, err := models.Get(o.Name)
	if err != nil {
		return err
	}
	if err := m.fits(e); err != nil {
		return err
	}
	m.applyEntry(e, o, "by its name")
	return nil
}

// assume takes what the files beside the weights say, else what the family usually has.
func (m *Model) assume(k variant, b beside, o loadOptions) {
	m.Preprocess, m.assumed = k.wants, k.note
	if b.wants != nil {
		m.Preprocess, m.assumed = *b.wants, "mean, std and crop as the files beside the weights state"
	}
	m.Notes = append(m.Notes, m.assumed, m.sizeNote())
	if m.Config.Gray {
		m.Notes = append(m.Notes, "one input channel: colours are made gray as PIL does (ITU-R 601), mean and std weighted alike")
	}
	switch {
	case o.Activation != "":
	case b.activation == "" && k.activationNote != "":
		m.Notes = append(m.Notes, k.activationNote)
	case b.activation != "" && !m.Config.Gated:
		m.Notes = append(m.Notes, fmt.Sprintf("%s as the files beside the weights state", b.activation))
	}
	// DINOv2's are run at another size than the positions': others' networks take no other.
	if m.Config.Image != b.usual && m.Config.Across == 0 && m.Config.LayerScale && b.usual%m.Config.Patch == 0 {
		m.usual = b.usual
	}
}

// sizeNote says where the size of the input is from, which positions leave open.
func (m *Model) sizeNote() string {
	size := preprocess.FormatSize(m.Config.Image, m.Config.Across)
	if m.size.by != "" {
		return fmt.Sprintf("input of %s pixels, as %s states and the positions allow", size, m.size.by)
	}
	return fmt.Sprintf("the positions fit a square input of %s pixels, which is taken; --image-size HxW states another", size)
}

// fits compares what tensors show with the zoo's entry.
func (m *Model) fits(e models.Entry) error {
	if m.Family != e.Family || m.Config.Arch() != e.Arch {
		return fmt.Errorf("the zoo's %s is a %s with %s names, the file holds a %s with %s names",
			e.Name, e.Arch, e.Family, m.Config.Arch(), m.Family)
	}
	return nil
}

func (m *Model) applyEntry(e models.Entry, o loadOptions, how string) {
	m.Preprocess = Preprocess{preprocess.Normalization{Mean: e.Mean, Std: e.Std}, e.CropPct, e.Interpolation}
	m.usual = e.Image
	if e.Positions == "dino" {
		m.resample = dinoResample
	}
	if e.Activation != "" && o.Activation == "" {
		m.Config.Activation = Activation(e.Activation)
	}
	if n := m.Config.Params(); n != e.Parameters {
		m.Notes = append(m.Notes, fmt.Sprintf("the zoo's %s has %d parameters, the file %d: is it another network, or does it have another classifier?", e.Name, e.Parameters, n))
	}
	m.Notes = append(m.Notes, fmt.Sprintf("known %s as the zoo's %s; mean, std and crop are its publisher's", how, e.Name))
}
