package store

// SetClasses changes the classes of an opened store, which a store on disk takes seconds to be written with.
func (s *Store) SetClasses(classes ...string) { s.manifest.Dataset.Classes = classes }
