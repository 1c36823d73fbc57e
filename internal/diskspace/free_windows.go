package diskspace

import "golang.org/x/sys/windows"

func free(dir string) (int64, error) {
	path, err := windows.UTF16PtrFromString(dir)
	if err != nil {
		return 0, err
	}
	var bytes uint64
	err = windows.GetDiskFreeSpaceEx(path, &bytes, nil, nil)
	return int64(bytes), err
}
