package preprocess_test

import (
	"bytes"
	"image/jpeg"
	"testing"

	"graft/preprocess"
	"graft/preprocess/synthetic"
)

func photoFile(b *testing.B) []byte {
	var file bytes.Buffer
	if err := jpeg.Encode(&file, synthetic.Photo(1, 1, 375, 500).ToImage(), &jpeg.Options{Quality: 90}); err != nil {
		b.Fatal(err)
	}
	return file.Bytes()
}

// BenchmarkDecode decodes a JPEG of 500×375 pixels.
func BenchmarkDecode(b *testing.B) {
	file := photoFile(b)
	b.SetBytes(int64(len(file)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := preprocess.Decode(b.Context(), bytes.NewReader(file)); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkDecoder is the part of BenchmarkDecode that Go's decoder takes.
func BenchmarkDecoder(b *testing.B) {
	file := photoFile(b)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := jpeg.Decode(bytes.NewReader(file)); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkSquare brings such a picture to 224×224, as a ViT's preprocessing does.
func BenchmarkSquare(b *testing.B) {
	im := synthetic.Photo(1, 1, 375, 500)
	b.ReportAllocs()
	for b.Loop() {
		preprocess.Square(im, 224, 0.9)
	}
}
